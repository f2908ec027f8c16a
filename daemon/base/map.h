/*
 * Files mapped read-only. The descriptor stays open with the mapping, so that what else is read of
 * the file (its hash) comes from the very same one, whatever its path leads to meanwhile.
 *
 * A file that is truncated while it is mapped makes the kernel send SIGBUS to the thread that reads
 * behind the new end, and so does a disk that fails. map_catch() turns both into an error with the
 * name of the file.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "err.h"

/* All zero: nothing is mapped. An empty file has data NULL and len 0. */
struct map {
	const unsigned char *data;
	uint64_t len;
	struct map_range *range; /* its entry in the table of all mappings */
};

/* Fails with `code` when the path is missing, not a regular file or unreadable. */
int map_open(const char *path, int code, struct map *ret, struct err *e);

/* Maps `len` bytes of a regular file. The descriptor is the map's from here on, also when this fails. */
int map_fd_take(int fd, uint64_t len, const char *path, int code, struct map *ret, struct err *e);

void map_close(struct map *m);
int map_fd(const struct map *m); /* -1: nothing is mapped */

/*
 * Called instead of a death by SIGBUS, in the thread that read: E_SOURCE_CHANGED for a file that
 * became shorter, E_IO for one that could not be read. The process exits with the status of that
 * error when it returns. It may allocate and print: the signal comes from a read of a mapped byte,
 * never from within the C library's own locks.
 */
typedef void map_lost_fn(const struct err *e);
void map_catch(map_lost_fn *fn);

#endif
