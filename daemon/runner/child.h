/*
 * A worker process: started, listened to, stopped, and seen to its end.
 *
 * The job goes to its stdin as one frame; frames come back on stdout (proto/worker.proto),
 * lines on stderr. What it says is checked here: the Hello with our nonce first, one Result
 * or Failure last. The ended callback comes once, last of all, when the process is gone, all
 * that it started is too (strays.h) and its pipes are closed; child_free may be called from there.
 */
#ifndef RUNNER_CHILD_H
#define RUNNER_CHILD_H

#include <sys/resource.h>

#include "base/loop.h"
#include "cgroup.h"
#include "worker.pb-c.h"

struct child;

struct child_spec {
	char *const *prefix; /* words of the command before the program, NULL-terminated */
	const char *program;
	char *const *env; /* "NAME=value", NULL-terminated */
	const Colconv__Job *job;
	const struct cgroup *cgroup; /* whose child its group becomes; NULL: none */
	uint64_t memory_max; /* bytes, of all that it starts; 0: no limit. Kept by the control group alone */
	int64_t start_ms;    /* longest time until its Hello: a scheduler may have it wait */
	int64_t silence_ms;  /* longest time without a frame from then on */
	int64_t timeout_ms;  /* of the whole attempt */
	int64_t grace_ms;    /* between TERM and KILL */
};

/* How it ended; lives until child_free. */
struct child_end {
	const Colconv__Result *result; /* NULL when it failed... */
	struct err why;                /* ...for this reason */
	Colconv__StageUsage **usage;   /* of the stages that it told of */
	size_t n_usage;
	double seconds;          /* from its start to its end */
	struct rusage resources; /* of it and all that it waited for */
};

struct child_ops {
	void (*stage)(void *arg, const Colconv__Stage *stage);
	void (*progress)(void *arg, const Colconv__Progress *progress);
	void (*log)(void *arg, const char *line); /* UTF-8 without control characters */

	void (*ended)(void *arg, const struct child_end *end);
};

int child_new(struct loop *l, const struct child_spec *spec, const struct child_ops *ops, void *arg,
	      struct child **ret, struct err *e);

/* Kills what still runs, without a word. */
void child_free(struct child **c);

/* Asks it to end, and makes it. The reason becomes end.why, unless there is one already. */
void child_stop(struct child *c, int code, const char *fmt, ...) _printf_(3, 4);

pid_t child_pid(const struct child *c);

#endif
