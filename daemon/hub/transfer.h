/*
 * Downloads a list of files from the endpoint, each into a blob of the cache or into memory.
 *
 * This adds the Hub's rules to the downloader of net: the token goes to the endpoint only, redirects lead to
 * https or to the endpoint only, and only public addresses are connected to (env.h has the exceptions).
 */
#ifndef HUB_TRANSFER_H
#define HUB_TRANSFER_H

#include "base/buf.h"
#include "blob.h"
#include "env.h"

struct transfer {
	char *path;        /* appended to the endpoint; owned by the caller, like all members */
	const char *name;  /* name of the file, for progress and errors; NULL: not a file of the repository */
	struct blob *blob; /* NULL: into `body` */
	struct buf *body;
};

/* Reports the bytes that are hashed or received, and of which file. */
typedef void transfer_progress_fn(void *ctx, uint64_t done, const char *detail);

/* Errors name `repo` and `revision`. */
struct transfer_job {
	const struct hub_env *env;
	const char *repo;
	const char *revision;
	transfer_progress_fn *progress; /* may be NULL */
	void *ctx;
};

/* Transfers all of them, starting in this order. Stops at the first error; finished blobs stay. */
int transfer_all(const struct transfer_job *job, const struct transfer *list, size_t count, struct err *e);

#endif
