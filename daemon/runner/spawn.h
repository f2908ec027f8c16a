/* Starts the process of a worker: the runner's command, the environment that may pass, a control group, three pipes. */
#ifndef RUNNER_SPAWN_H
#define RUNNER_SPAWN_H

#include "base/proc.h"
#include "child.h"

/* Where our ends of its stdin, stdout and stderr go. Whatever is set belongs to the caller, after a failure too. */
struct worker_pipes {
	int *in, *out, *log;
};

/* `mark` is the variable NAME=value by which strays.h finds what the worker started; `cgroup` may be NULL. */
int worker_spawn(const struct child_spec *spec, char *mark, const char *cgroup,
		 struct worker_pipes *ret_pipes, struct proc *ret, struct err *e);

#endif
