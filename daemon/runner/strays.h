/*
 * What a worker starts and leaves: children that went out of its group, its session or its family
 * (setsid, a double fork), and so heard of none of the signals that the group got. All of it has
 * the nonce of the attempt in its environment, and that is how it is found: in /proc. Each is held by
 * a descriptor of its own before it is killed, so that no number is taken for another's.
 *
 * Who may not read a process's environment may not kill it either: to a daemon that is not root
 * other users' processes do not show. To root they do, and one that has the nonce was started for
 * the attempt, whatever user the runner's command made of it.
 */
#ifndef RUNNER_STRAYS_H
#define RUNNER_STRAYS_H

#include "base/loop.h"

#define STRAYS_VARIABLE "COLCONV_ATTEMPT"
#define STRAYS_HELD_MAX 64 /* at a time; more are found by the next look */

struct strays {
	struct loop *loop;
	char mark[64];             /* "COLCONV_ATTEMPT=NONCE" */
	char *cgroup;              /* their control group, or NULL; freed with this */
	int held[STRAYS_HELD_MAX]; /* pidfds of the killed that have not ended */
	size_t n_held;
	uint64_t killed; /* so far */
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

/* Those of a daemon that died: waits for their end, at most some seconds. How many there were. */
uint64_t strays_end(const char *nonce);

#endif
