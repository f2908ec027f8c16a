/*
 * A file that takes up room on the disk of the state folder until the queue needs it: STATE/reserve.
 *
 * On a full disk nothing can be removed, for the queue has to note each removal first, and a daemon that died cannot
 * recover. Then the reserve is given back, and the next transactions have its room.
 */
#ifndef QUEUE_RESERVE_H
#define QUEUE_RESERVE_H

#include "base/err.h"

#define RESERVE_BYTES (UINT64_C(8) << 20)

/* Below this much free space the queue cannot be written for long: no job is started, and the daemon is not ready. */
#define RESERVE_FREE_MIN (UINT64_C(16) << 20)

/* Makes the file where it is missing and the disk has room for it beside RESERVE_FREE_MIN. */
void reserve_keep(const char *state_dir);

/* Removes the file: true when there was one. */
bool reserve_give(const char *state_dir);

#endif
