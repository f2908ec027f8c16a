/*
 * Checkpoints by repository id: makes a snapshot of a repository of the Hugging Face Hub in the local
 * cache, which the Hub's own client shares (cache.h). env.h says how it is set up.
 *
 * The revision becomes a commit first, so that all files are of one. Only what a conversion reads is
 * fetched, and never a pickle. Every byte is checked against the hash that the Hub published for that
 * commit, also what was there already. Any number of processes may ask for the same at once, and any
 * may be killed: the next one goes on where it was.
 */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "spec/repo.h"
#include "net/digest.h"

struct hub_file {
	char *name;
	uint64_t size;
	char etag[ETAG_LEN_MAX +
		  1]; /* sha256, or git's hash of a small file; "" when the cache does not tell (offline) */
};

struct hub_snapshot {
	char *dir; /* a folder with the files, which are links */
	char commit[REPO_COMMIT_LEN + 1];
	char *repo; /* as the Hub calls it today: another than was asked for when it was renamed */
	struct hub_file *files;
	size_t count;
};

/* Bytes, of all files known so far, that are there and checked; which file, and why it waits. */
typedef void hub_progress_fn(void *ctx, uint64_t done, uint64_t total, const char *detail);

/* *ret is the caller's to release. */
int hub_fetch(const char *repo, const char *revision, hub_progress_fn *progress, void *ctx,
	      struct hub_snapshot *ret, struct err *e);
void hub_snapshot_release(struct hub_snapshot *s);

#endif
