/*
 * A file on its way to its place. What comes is written to another name beside it and hashed; the file gets its name
 * only when its bytes have the hash that was published. What an earlier process left is hashed and continued.
 *
 * Call part_step() until PART_WANTED, then part_add() from byte `have` on (or part_restart()), then part_step() again
 * until PART_DONE.
 */
#ifndef NET_PART_H
#define NET_PART_H

#include "digest.h"

enum part_state {
	PART_LOCKED,  /* another process has it (blob.h): call again later */
	PART_CHECKED, /* a block of what is there was hashed: call again soon */
	PART_WANTED,  /* bytes are missing */
	PART_WRONG,   /* all bytes were there and had another hash: they are gone, and wanted from 0 on */
	PART_DONE,
};

struct part {
	const char *hash; /* as digest.h; the caller's */
	uint64_t size;
	uint64_t have; /* bytes that are there and hashed */
	char *path;
	char *part;  /* the name until it is whole */
	int fd;      /* of path or part; -1: not open */
	bool whole;  /* fd is of path: a file of that size was there before us */
	bool stale;  /* that file has another hash: it will be replaced */
	bool wanted; /* all that was there is hashed */
	struct digest *digest;
};

/* Takes `path` and `part`, which may be NULL when memory ran out. */
int part_init(struct part *p, char *path, char *part, const char *hash, uint64_t size, struct err *e);

/* A part without any byte leaves no file behind. */
void part_release(struct part *p);

int part_step(struct part *p, enum part_state *ret, struct err *e);
int part_add(struct part *p, const void *data, size_t len, struct err *e); /* at most size - have */
int part_restart(struct part *p, struct err *e);

#endif
