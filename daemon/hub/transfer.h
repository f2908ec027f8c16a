/*
 * Gets a list of things from the endpoint: each into a blob of the cache or into memory, by the downloader of net.
 *
 * What is the Hub's own is here: the token goes to the endpoint only, redirects lead to https or the endpoint only, and
 * no connection is made to an address that is not public (env.h has the exceptions).
 */
#ifndef HUB_TRANSFER_H
#define HUB_TRANSFER_H

#include "base/buf.h"
#include "blob.h"
#include "env.h"

struct transfer {
	char *path;        /* after the endpoint; the caller's, as all here */
	const char *name;  /* of the file, for progress and errors; NULL: it is not one */
	struct blob *blob; /* NULL: `body` takes it */
	struct buf *body;
};

/* Bytes that are there (hashed or received), and of which file. */
typedef void transfer_progress_fn(void *ctx, uint64_t done, const char *detail);

/* `repo` and `revision` are what errors are about. */
struct transfer_job {
	const struct hub_env *env;
	const char *repo;
	const char *revision;
	transfer_progress_fn *progress; /* may be NULL */
	void *ctx;
};

/* All of them, begun in this order; the first error ends it. Blobs that are done by then stay. */
int transfer_all(const struct transfer_job *job, const struct transfer *list, size_t count, struct err *e);

#endif
