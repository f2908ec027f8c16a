/*
 * A blob that is being downloaded into the cache: a part (net/part.h) with the lock that the Hub's own client
 * uses too. Only the holder of the lock writes the blob. If another process holds the lock and its file does
 * not grow, waiting ends in an error after a time.
 */
#ifndef HUB_BLOB_H
#define HUB_BLOB_H

#include "cache.h"
#include "net/part.h"

struct blob {
	struct part part;
	char *lock_path;
	int fd_lock;
	int64_t lock_wait_ms; /* how long to wait for the lock's owner to make progress */
	int64_t waits_ms;     /* when its file grew last; 0: not waiting */
	uint64_t seen;        /* the size of its file then */
};

int blob_init(struct blob *b, const struct cache *c, const char *etag, uint64_t size, int64_t lock_wait_ms,
	      struct err *e);
void blob_release(struct blob *b);

/* Like part_step(), and returns PART_LOCKED while another process has the lock. */
int blob_step(struct blob *b, enum part_state *ret, struct err *e);

/* Bytes that are there. For a blob that another process downloads, its size on the disk. */
uint64_t blob_seen(const struct blob *b);

#endif
