/*
 * A file that is being downloaded. Its bytes go to a partial file beside it, and are hashed as they arrive.
 * The partial file gets the real name only when its hash is the published one. A partial file of an earlier
 * process is hashed and continued.
 *
 * Call part_step() until PART_WANTED; then part_add(), beginning at byte `have` (or part_restart()); then
 * part_step() again until PART_DONE.
 */
#ifndef NET_PART_H
#define NET_PART_H

#include "digest.h"

enum part_state {
	PART_LOCKED,  /* another process downloads it (blob.h): call again later */
	PART_CHECKED, /* a block was hashed: call again soon */
	PART_WANTED,  /* bytes are missing */
	PART_WRONG,   /* all bytes were there with a wrong hash: they were dropped; download from byte 0 */
	PART_DONE,
};

struct part {
	const char *hash; /* as in digest.h; owned by the caller */
	uint64_t size;
	uint64_t have; /* bytes that are there and hashed */
	char *path;
	char *part;  /* path of the partial file */
	int fd;      /* of path or part; -1: not open */
	bool whole;  /* fd is the finished file: one of that size existed */
	bool stale;  /* the finished file has a wrong hash and will be replaced */
	bool wanted; /* all bytes on the disk are hashed */
	struct digest *digest;
};

/* Takes ownership of `path` and `part`, which may be NULL when memory ran out. */
int part_init(struct part *p, char *path, char *part, const char *hash, uint64_t size, struct err *e);

/* Deletes a partial file that is empty. */
void part_release(struct part *p);

int part_step(struct part *p, enum part_state *ret, struct err *e);
int part_add(struct part *p, const void *data, size_t len, struct err *e); /* len <= size - have */
int part_restart(struct part *p, struct err *e);

#endif
