/*
 * Maps files read-only. The descriptor stays open, so that the hash is computed from the same file even if another
 * file takes its path.
 *
 * If a mapped file is truncated or its disk fails, the kernel sends SIGBUS to the thread that reads the missing bytes.
 * map_catch() turns that into an error that names the file.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "err.h"

/* All members zero: not mapped. For an empty file data is NULL and len is 0. */
struct map {
	const unsigned char *data;
	uint64_t len;
	struct map_range *range; /* its entry in the table of all mappings */
};

/* Fails with `code` when the path is missing, not a regular file or unreadable. */
int map_open(const char *path, int code, struct map *ret, struct err *e);

/* Map `len` bytes of a regular file. Takes the descriptor, and closes it on failure. */
int map_fd_take(int fd, uint64_t len, const char *path, int code, struct map *ret, struct err *e);

void map_close(struct map *m);
int map_fd(const struct map *m); /* -1: nothing is mapped */

/*
 * Called on SIGBUS, in the thread that read: with E_SOURCE_CHANGED for a file that became shorter, with E_IO for one
 * that cannot be read. When it returns, the process exits with the status of that error. It may allocate and print,
 * because the signal interrupts a read of mapped memory, never a function of the C library that holds a lock.
 */
typedef void map_lost_fn(const struct err *e);
void map_catch(map_lost_fn *fn);

#endif
