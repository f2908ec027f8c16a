/* What the daemon itself needs to start a worker, and may run out of without any fault of the job. */
#ifndef RUNNER_RESOURCES_H
#define RUNNER_RESOURCES_H

#include "base/err.h"

/* Whether an error means that something ran out which another attempt may find: descriptors, processes, memory, disk. */
bool resources_lack(int code);

/*
 * Opens as many descriptors as a worker takes and forks, to see that both work: an error says what is lacking. The disk
 * of `dir` must have `free_min` bytes.
 */
int resources_check(const char *dir, uint64_t free_min, struct err *e);

/* The disk alone, which costs one call. */
int resources_check_disk(const char *dir, uint64_t free_min, struct err *e);

#endif
