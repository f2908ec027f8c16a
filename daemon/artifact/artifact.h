/*
 * Files of jobs, below the state folder:
 *
 *	staging/<job>.<attempt>/    a worker writes here; the API does not show it
 *	artifacts/<job>/            complete, of a job that is done or being published (queue/publish.h)
 *	failed/<job>/parity.json    the report of a job that failed for parity, or whose artifact was removed
 *	lost/                       artifacts found without a job (queue/recover.h)
 *	trash/<name>.<n>/           removed from staging/ or artifacts/; deleted in small steps
 *
 * An artifact is a folder of plain files, some perhaps in folders below it ("onnx/model.onnx"): manifest.json and
 * exactly the files that it lists under "files": [{"name", "size", "sha256"}, ...]. Jobs that were made from the same
 * sources share the files as hard links, so the disk frees them with the last of these artifacts.
 *
 * The event loop must not hash or sync gigabytes. The hashes are taken from the manifest, and the worker has synced
 * its files before it reports its result, so the fsync in artifact_publish() returns at once.
 *
 * These functions do not know the states of jobs; callers check the queue first.
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

/* Create the folders above. */
int artifact_init(const char *state_dir, struct err *e);

/* Create an empty staging folder for this attempt. *ret is its path; the caller frees it. */
int artifact_stage(const char *state_dir, int64_t job, int attempt, char **ret, struct err *e);

/* Move the staging folder to trash/. A missing folder is success. */
int artifact_discard(const char *state_dir, int64_t job, int attempt, struct err *e);

/*
 * Fill the staging folder of an attempt anew, with links to the files of another job's artifact. E_NOT_FOUND when the
 * other has no artifact, E_IO when the file system makes no links. Then publish it as `shared`.
 */
int artifact_share(const char *state_dir, int64_t from, int64_t job, int attempt, struct err *e);

/*
 * Commit the staging folder of an attempt as the job's artifact: check, fsync, rename. `shared`: artifact_share() has
 * filled it; a worker's own files must have no other links (E_MISMATCH).
 *
 * Safe to call again after a crash: success if the artifact exists and the staging folder does not. If both exist,
 * the artifact is left from a failed publication of an earlier attempt and is replaced. E_MISMATCH: the files differ
 * from the manifest or are not plain files. E_NOT_FOUND: neither folder exists.
 */
int artifact_publish(const char *state_dir, int64_t job, int attempt, bool shared, struct artifact_list *ret,
		     struct err *e);

/*
 * Keep parity.json of a failed attempt; call it before discarding the rest. E_NOT_FOUND when the attempt did not
 * write it.
 */
int artifact_keep_report(const char *state_dir, int64_t job, int attempt, struct err *e);

/* Open a file of an artifact for reading. E_NOT_FOUND unless it is a plain file. */
int artifact_open_file(const char *state_dir, int64_t job, const char *name, int *ret_fd, uint64_t *ret_size,
		       struct err *e);

/* Open the parity report of a done job, or the one that was kept without its artifact. E_NOT_FOUND when it does not exist. */
int artifact_open_report(const char *state_dir, int64_t job, int *ret_fd, uint64_t *ret_size, struct err *e);

/*
 * Move an artifact to trash/ after the queue has marked it as removed. Its parity report stays with the job. A missing
 * one is success. Durable after artifact_sync(), which may be called once for many artifacts.
 */
int artifact_trash(const char *state_dir, int64_t job, struct err *e);
int artifact_sync(const char *state_dir, struct err *e);

/* Delete the kept report, when the job goes. A missing one is success. */
int artifact_remove_report(const char *state_dir, int64_t job, struct err *e);

/*
 * Delete a small piece of trash/: a file, a part of a large file, or a folder. Returns 1 to be called again; 0 when
 * only files remain that a client still reads, which stay complete until then.
 */
int artifact_trash_step(const char *state_dir, struct err *e);

/* For recovery. */
int artifact_purge_staging(const char *state_dir, int *ret_removed, struct err *e);

/* Call back for every entry of artifacts/; `job` is 0 when the name is not a job's id. A negative return stops it. */
typedef int (*artifact_fn)(const char *name, int64_t job, void *arg, struct err *e);
int artifact_each(const char *state_dir, artifact_fn fn, void *arg, struct err *e);

/* Moves an entry of artifacts/ to lost/<name>.<n>, with the lowest n that is free, from 1. */
int artifact_set_aside(const char *state_dir, const char *name, struct err *e);

#endif
