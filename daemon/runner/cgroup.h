/*
 * A control group (version 2) for each attempt, if systemd delegated the daemon's own group (Delegate=yes; systemd
 * marks such a group with an attribute). Processes cannot leave their group, so killing it ends everything that a
 * worker started. It also limits memory.
 *
 *	colconvd.service/          delegated; its memory controller is enabled for the groups below
 *		daemon/            the daemon itself
 *		attempt-NONCE/     a worker and all that it starts
 *
 * Without delegation no groups are made; functions that take the path of a group accept NULL.
 */
#ifndef RUNNER_CGROUP_H
#define RUNNER_CGROUP_H

#include "base/err.h"

struct cgroup {
	char *dir;   /* the delegated group; NULL: not delegated */
	bool memory; /* the memory controller is in force */
};

/*
 * Find the delegated group, move the daemon into daemon/, and kill the attempts that an earlier daemon left. On an
 * error the daemon runs without groups; the error says why.
 */
int cgroup_init(struct cgroup *c, struct err *e);
void cgroup_release(struct cgroup *c);

/* Make the group of an attempt; *ret is its path, which the caller frees. memory_max 0: no limit. */
int cgroup_add(const struct cgroup *c, const char *nonce, uint64_t memory_max, char **ret, struct err *e);

/* Kill all processes in the group. Returns true once the group is removed, and for NULL. */
bool cgroup_remove(const char *leaf);

/* Number of processes in the group; 0 for NULL. */
uint64_t cgroup_count(const char *leaf);

/* How many of its processes the kernel killed because its memory ran out. */
uint64_t cgroup_oom_kills(const char *leaf);

#endif
