/*
 * Starts child processes (fork, then always exec). A child gets its own process group, so that it can be stopped
 * together with its own children, and it is killed when its parent dies.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <sys/resource.h>

#include "err.h"

struct proc_spec {
	char *const *argv; /* argv[0] is looked up in PATH unless it has a '/' */
	const char *const
		*env; /* "NAME=value", overriding our own environment, NULL-terminated; may be NULL */
	bool (*env_passes)(const char *variable); /* selects our variables that it inherits; NULL: all */
	const int *keep; /* descriptors that it inherits with the same numbers, besides 0, 1 and 2 */
	size_t n_keep;
	int fd_in; /* become 0, 1, 2; -1 is /dev/null; borrowed */
	int fd_out;
	int fd_err;
	bool keep_group; /* stay in our process group, for a child of the terminal's user */
	int oom_score_adj; /* added to its score when the kernel picks a process to kill, up to 1000; 0: as ours */
	const char *cgroup; /* path of a file cgroup.procs: the control group that it joins; NULL: ours */
};

struct proc {
	pid_t pid; /* 0: none */
	int pidfd; /* readable when it has ended; -1: none */
};

/* clang-format off */
#define PROC_INIT { .pid = 0, .pidfd = -1 }
/* clang-format on */

/* Start the program. If exec fails, the error is returned here (E_IO with the program's name). */
int proc_spawn(const struct proc_spec *spec, struct proc *ret, struct err *e);

/* Sends a signal to the whole process group (with keep_group: to the process only). */
void proc_signal(const struct proc *p, int sig, bool keep_group);

/*
 * Waits until the process ends. *ret_status and *ret_usage (may be NULL) are as wait4() gives them; the
 * usage includes all children that the process waited for. Releases the pidfd.
 */
int proc_wait(struct proc *p, int *ret_status, struct rusage *ret_usage, struct err *e);

/* "exit status 3", "signal 9 (Killed)" into buf, which is returned. */
const char *proc_status_str(int status, char *buf, size_t len);

#endif
