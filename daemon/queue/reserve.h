/*
 * A file that takes up room on the disk of the state folder until the queue needs it: STATE/reserve.
 *
 * Removing an artifact needs a write to the queue first, and so does recovery; on a full disk neither would work.
 * Deleting the reserve gives these writes room.
 */
#ifndef QUEUE_RESERVE_H
#define QUEUE_RESERVE_H

#include "base/err.h"

#define RESERVE_BYTES (UINT64_C(8) << 20)

/* With less free space than this the daemon starts no jobs and /readyz answers 503. */
#define RESERVE_FREE_MIN (UINT64_C(16) << 20)

/* Create the file if it is missing and RESERVE_FREE_MIN stays free beside it. */
void reserve_keep(const char *state_dir);

/* Delete the file; false if it did not exist. */
bool reserve_give(const char *state_dir);

#endif
