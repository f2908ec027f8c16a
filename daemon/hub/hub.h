/*
 * Downloads a repository of the Hugging Face Hub as a snapshot in the local cache, which is the cache of the
 * Hub's own client (cache.h). env.h says how it is configured.
 *
 * The revision is resolved to a commit first, so that all files belong to one commit. Only the files that a
 * conversion reads are downloaded, and never a pickle. Every byte is checked against the hash that the Hub
 * published for that commit, also in files that were there already. Several processes may download the same
 * repository at once, and each may be killed: the next one continues.
 */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "spec/repo.h"
#include "net/digest.h"

/* The model card of a repository, fetched for the licence that it declares. */
#define HUB_CARD_FILE "README.md"

struct hub_file {
	char *name;
	uint64_t size;
	char etag[ETAG_LEN_MAX +
		  1]; /* sha256, or git's hash of a small file; "" when the cache does not tell (offline) */
};

struct hub_snapshot {
	char *dir; /* the folder of the snapshot; its files are links */
	char commit[REPO_COMMIT_LEN + 1];
	char *repo; /* the repository's present name, which differs when it was renamed */
	struct hub_file *files;
	size_t count;
};

/* Reports progress: the checked bytes of all files known so far, the present file, and why it waits. */
typedef void hub_progress_fn(void *ctx, uint64_t done, uint64_t total, const char *detail);

/* The caller releases *ret. */
int hub_fetch(const char *repo, const char *revision, hub_progress_fn *progress, void *ctx,
	      struct hub_snapshot *ret, struct err *e);
void hub_snapshot_release(struct hub_snapshot *s);

/* The folder that all snapshots lie in, made if need be. *ret is the caller's. */
int hub_cache_make(char **ret, struct err *e);

#endif
