/* Checks for resources that the daemon needs to start a worker: descriptors, processes, memory, disk. */
#ifndef RUNNER_RESOURCES_H
#define RUNNER_RESOURCES_H

#include "base/err.h"

/* Whether an error means that such a resource ran out, so that a later start may succeed. */
bool resources_lack(int code);

/*
 * Try what the start of a worker needs: open its number of descriptors, fork, and find `free_min` bytes free on the
 * disk of `dir`. The error names the missing resource.
 */
int resources_check(const char *dir, uint64_t free_min, struct err *e);

/* Check the disk only; takes one system call. */
int resources_check_disk(const char *dir, uint64_t free_min, struct err *e);

#endif
