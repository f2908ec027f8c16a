/*
 * What a worker starts and leaves: children that left its process group, its session or its family (setsid, a double
 * fork) and so did not get the signals that the group got.
 *
 * Where the attempt has a control group and no runner's command that may start it elsewhere, the group is killed whole.
 * Otherwise all of them have the nonce of the attempt in
 * their environment, and are found in /proc: a part of it at each turn of the loop, for a host may run 10,000 processes.
 * Each is held by a descriptor of its own before it is killed, so that a reused process id is never mistaken.
 *
 * A process whose environment the daemon may not read cannot be killed by it either, so other users' processes do not
 * show to a daemon that is not root. To root they do, and a process with the nonce was started for the attempt, whatever
 * user the runner's command made of it.
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
	bool roams; /* a runner's command may start them outside the group (systemd-run): look in /proc as well */
	int held[STRAYS_HELD_MAX]; /* pidfds of the killed that have not ended */
	size_t n_held;
	uint64_t killed;        /* so far */
	uint64_t killed_before; /* ...when the pass over /proc began */
	DIR *proc;              /* of the pass that is under way; NULL: none is */
	struct loop_timer again;
	void (*gone)(void *arg);
	void *arg;
};

/* `gone` is called once, from the loop, when a strays_kill() that returned false has done its work. */
int strays_init(struct strays *s, struct loop *l, const char *nonce, void (*gone)(void *arg), void *arg,
		struct err *e);
void strays_release(struct strays *s);

/* Kills them all, whatever they start meanwhile: true when none is left. */
bool strays_kill(struct strays *s);

/* Kills those that one whole pass finds, and waits for nothing. */
void strays_kill_now(struct strays *s);

/* Those of a daemon that died: waits for their end, at most some seconds. How many there were. */
uint64_t strays_end(const char *nonce);

#endif
