/*
 * One blob on its way into the cache: a part (net/part.h) under the lock that the Hub's own client takes. Whoever holds the
 * lock is alone with the blob. A lock that another process holds while nothing arrives ends in an error after a time.
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
	int64_t waits_ms;     /* since when nothing came from it; 0: not waiting */
	uint64_t seen;        /* bytes that it had by then */
};

int blob_init(struct blob *b, const struct cache *c, const char *etag, uint64_t size, int64_t lock_wait_ms,
	      struct err *e);
void blob_release(struct blob *b);

/* As part_step(), and PART_LOCKED while another process has it. */
int blob_step(struct blob *b, enum part_state *ret, struct err *e);

/* Bytes that are there; as the file system says where another process fetches it. */
uint64_t blob_seen(const struct blob *b);

#endif
