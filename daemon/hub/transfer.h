/*
 * Gets a list of things from the endpoint, a few at a time: each into a blob of the cache or into memory.
 *
 * Redirects are followed here and not by libcurl: to https or the endpoint only, the token to the
 * endpoint only, and never to an address that is not public (env.h has the exceptions). What broke is
 * tried again after a pause, from the byte where it broke; a refusal is not.
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

/* All of them, in this order; the first error ends it. Blobs that are done by then stay. */
int transfer_all(const struct transfer_job *job, const struct transfer *list, size_t count, struct err *e);

#endif
