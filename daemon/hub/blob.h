/*
 * One blob on its way into the cache. Whoever holds its lock is alone with it; what an earlier
 * process left is hashed and gone on with; a blob has its name only when its bytes have that hash.
 *
 *	blob_step() until BLOB_WANTED   then blob_add() from byte `have` on, or blob_restart(); then
 *blob_step() again or BLOB_DONE     it is there, and right
 */
#ifndef HUB_BLOB_H
#define HUB_BLOB_H

#include "cache.h"

enum blob_state {
	BLOB_LOCKED,  /* by another process: ask again later */
	BLOB_CHECKED, /* a block of what is there was hashed: ask again soon */
	BLOB_WANTED,  /* bytes are missing */
	BLOB_WRONG,   /* all bytes were there, and are not right: they are gone, and wanted from 0 on */
	BLOB_DONE,
};

struct blob {
	const char *etag; /* the caller's */
	uint64_t size;
	uint64_t have; /* bytes of it that are there and hashed */
	char *path;
	char *part; /* PATH.incomplete */
	char *lock_path;
	int fd_lock;
	int fd;      /* of path or part; -1 until locked */
	bool whole;  /* fd is of path: it was there before us */
	bool wanted; /* all that was there is hashed */
	struct digest *digest;
};

int blob_init(struct blob *b, const struct cache *c, const char *etag, uint64_t size, struct err *e);
void blob_release(struct blob *b);

int blob_step(struct blob *b, enum blob_state *ret, struct err *e);
int blob_add(struct blob *b, const void *data, size_t len, struct err *e); /* at most size - have */
int blob_restart(struct blob *b, struct err *e);

/* Bytes that are there, as the file system says: of a blob that another process fetches. */
uint64_t blob_seen(const struct blob *b);

#endif
