/*
 * The SHA-256 of each of a checkpoint's shards, for the manifest, by a thread of low priority: it reads
 * behind or ahead of the export, from the same pages of the cache.
 */
#ifndef WORKER_INPUTS_H
#define WORKER_INPUTS_H

#include "base/sha256.h"
#include "checkpoint/checkpoint.h"

struct inputs;

int inputs_begin(const struct checkpoint *c, struct inputs **ret, struct err *e); /* `c` must outlive it */
void inputs_free(struct inputs **in); /* stops what has not ended */

/* Waits until all are hashed. */
int inputs_wait(struct inputs *in, struct err *e);

/* Of checkpoint_file(c, i), once inputs_wait() has succeeded. */
const char *inputs_sha256(const struct inputs *in, size_t i);

#endif
