/*
 * Files of jobs, below the state folder:
 *
 *	staging/<job>.<attempt>/    a worker fills it; shown to nobody
 *	artifacts/<job>/            whole and for good, of a done job (or about to be: queue/publish.h)
 *	failed/<job>/parity.json    the report of a job that failed for parity
 *	lost/                       artifacts found without a job (queue/recover.h)
 *	trash/<name>.<n>/           was in staging/ or artifacts/; goes bit by bit
 *
 * An artifact is a flat folder of plain files with one link each, and exactly those that its
 * manifest.json lists under "files": [{"name", "size", "sha256"}, ...], besides manifest.json.
 *
 * The daemon neither hashes nor syncs gigabytes in its event loop: the hashes are the manifest's,
 * and a worker fsyncs its files before it reports its result, so that the fsync of
 * artifact_publish() finds them clean and returns at once.
 *
 * Nothing here knows the state of a job; the callers ask the queue first.
 */
#ifndef ARTIFACT_ARTIFACT_H
#define ARTIFACT_ARTIFACT_H

#include "base/err.h"
#include "base/sha256.h"

struct artifact_file {
	char *name;
	uint64_t size;
	char sha256[SHA256_HEX_LEN + 1];
};

struct artifact_list {
	struct artifact_file *files; /* sorted by name */
	size_t n;
};

/* clang-format off */
#define ARTIFACT_LIST_INIT { .files = NULL }
/* clang-format on */

void artifact_list_release(struct artifact_list *l);
int artifact_list_add(struct artifact_list *l, const char *name, uint64_t size, const char *sha256,
		      struct err *e);

/* Makes the folders above. */
int artifact_init(const char *state_dir, struct err *e);

/* An empty staging folder for this attempt; *ret is its path, which the caller frees. */
int artifact_stage(const char *state_dir, int64_t job, int attempt, char **ret, struct err *e);

/* Moves the staging folder to trash/. A missing one is success. */
int artifact_discard(const char *state_dir, int64_t job, int attempt, struct err *e);

/*
 * Commit the staging folder of an attempt as the job's artifact: check, fsync, rename.
 *
 * Safe to call again after a crash: an artifact in place with no staging folder left is success.
 * With both there, the artifact is what an earlier attempt's failed publication left, and is
 * replaced. E_MISMATCH: the files are not what the manifest says, or not plain. E_NOT_FOUND:
 * neither folder is there.
 */
int artifact_publish(const char *state_dir, int64_t job, int attempt, struct artifact_list *ret,
		     struct err *e);

/*
 * Keeps parity.json of a failed attempt before the rest is discarded. E_NOT_FOUND when the
 * attempt did not come so far.
 */
int artifact_keep_report(const char *state_dir, int64_t job, int attempt, struct err *e);

/* A file of an artifact, for reading. E_NOT_FOUND for whatever is not a plain file of that name there. */
int artifact_open_file(const char *state_dir, int64_t job, const char *name, int *ret_fd, uint64_t *ret_size,
		       struct err *e);

/* The report of a done job, or the one kept of a failed one. E_NOT_FOUND when there is none. */
int artifact_open_report(const char *state_dir, int64_t job, int *ret_fd, uint64_t *ret_size, struct err *e);

/*
 * Takes an artifact away, which the queue shows no longer: it is moved to trash/. A missing one is
 * success. Durable after artifact_sync(), which one may call once for many.
 */
int artifact_trash(const char *state_dir, int64_t job, struct err *e);
int artifact_sync(const char *state_dir, struct err *e);

/* The report that was kept of a failed job. A missing one is success. */
int artifact_remove_report(const char *state_dir, int64_t job, struct err *e);

/*
 * A bit of what is in trash/: a file, a part of a large one, or a folder. 1: call again; 0: nothing
 * is left but what somebody still reads, which stays whole until then.
 */
int artifact_trash_step(const char *state_dir, struct err *e);

/* For recovery. */
int artifact_purge_staging(const char *state_dir, int *ret_removed, struct err *e);

/* For every entry of artifacts/; `job` is 0 when the name is no job's id. A negative return ends it. */
typedef int (*artifact_fn)(const char *name, int64_t job, void *arg, struct err *e);
int artifact_each(const char *state_dir, artifact_fn fn, void *arg, struct err *e);

/* Moves an entry of artifacts/ to lost/<name>.<n>, n from 1 on the first that is free. */
int artifact_set_aside(const char *state_dir, const char *name, struct err *e);

#endif
