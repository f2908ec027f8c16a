/*
 * Finds and kills processes that a worker started and that left its process group (setsid, a double fork), so that a
 * signal to the group did not reach them.
 *
 * If the attempt has a control group, and its runner has no command that could start the worker outside of it, the
 * whole group is killed. Otherwise they are found in /proc by the nonce of the attempt, which is in their
 * environment. Each turn of the loop reads a part of /proc only, because a host may run 10,000 processes. A pidfd is
 * opened for each process before it is checked and killed, so a reused process id cannot hit another process.
 *
 * A daemon that is not root cannot read the environment of other users' processes, nor kill them. Root can do both:
 * a process with the nonce belongs to the attempt, even if the runner's command changed its user.
 */
#ifndef RUNNER_STRAYS_H
#define RUNNER_STRAYS_H

#include <dirent.h>

#include "base/loop.h"

#define STRAYS_VARIABLE "COLCONV_ATTEMPT"
#define STRAYS_HELD_MAX 64 /* at a time; more are found by the next look */

struct strays {
	struct loop *loop;
	char mark[64]; /* "COLCONV_ATTEMPT=NONCE" */
	char *cgroup;  /* their control group, or NULL; freed with this */
	bool roams; /* a runner's command may start processes outside the group (systemd-run): search /proc as well */
	int held[STRAYS_HELD_MAX]; /* pidfds of killed processes that have not ended yet */
	size_t n_held;
	uint64_t killed;        /* number of killed processes */
	uint64_t killed_before; /* ...when the pass over /proc began */
	DIR *proc;              /* open during a pass over /proc, else NULL */
	struct loop_timer again;
	void (*gone)(void *arg);
	void *arg;
};

/* After strays_kill() returned false, `gone` is called once, from the loop, when all processes have ended. */
int strays_init(struct strays *s, struct loop *l, const char *nonce, void (*gone)(void *arg), void *arg,
		struct err *e);
void strays_release(struct strays *s);

/* Kill all of them, also those that they start meanwhile. Returns true if all have ended already. */
bool strays_kill(struct strays *s);

/* Kill those that one complete pass finds, without waiting for their end. */
void strays_kill_now(struct strays *s);

/* Kill those that a dead daemon left and wait a few seconds for their end. Returns their number. */
uint64_t strays_end(const char *nonce);

#endif
