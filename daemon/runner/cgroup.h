/*
 * A control group (version 2) for each attempt, where systemd left ours to us (Delegate=yes, which
 * it notes in an attribute of the group). Nothing that is started in one leaves it, so it is the
 * surest way to end all of it; and it limits memory.
 *
 *	colconvd.service/          delegated; the memory controller is handed down
 *		daemon/            we
 *		attempt-NONCE/     a worker and all that it starts
 *
 * Elsewhere there are no groups, and where a path of one is expected there is a NULL.
 */
#ifndef RUNNER_CGROUP_H
#define RUNNER_CGROUP_H

#include "base/err.h"

struct cgroup {
	char *dir;   /* the delegated one; NULL: there is none */
	bool memory; /* the memory controller is in force */
};

/*
 * Finds the delegated group, moves us into daemon/ and ends the attempts of a daemon before us.
 * The error says why there are no groups, which is to be lived with.
 */
int cgroup_init(struct cgroup *c, struct err *e);
void cgroup_release(struct cgroup *c);

/* The group of an attempt, as a path that the caller frees. 0: no limit of memory. */
int cgroup_add(const struct cgroup *c, const char *nonce, uint64_t memory_max, char **ret, struct err *e);

/* Kills all that is in it; then, once true is returned, it is gone. NULL is gone. */
bool cgroup_remove(const char *leaf);

/* How many processes are in it. NULL: none. */
uint64_t cgroup_count(const char *leaf);

/* How many of its processes the kernel killed because its memory ran out. */
uint64_t cgroup_oom_kills(const char *leaf);

#endif
