/*
 * Uploads files to a repository of the Hugging Face Hub, as one commit.
 *
 *	POST /api/repos/create                        when asked to
 *	POST /api/models/REPO/preupload/main          which files are large (LFS), and which are there already
 *	POST /REPO.git/info/lfs/objects/batch         where to put a large file: one address, or one for each part
 *	PUT  the addresses                            its bytes
 *	POST /api/models/REPO/commit/main             small files and the names of large ones, as JSON lines
 *
 * Nothing is visible before the commit. Large files that arrived before an interruption are not sent again.
 */
#ifndef HUB_PUSH_H
#define HUB_PUSH_H

#include "base/err.h"
#include "base/sha256.h"

struct push_file {
	const char *name; /* in the folder and in the repository */
	int fd;           /* open for reading; owned by the caller, as all members */
	uint64_t size;
	char sha256[SHA256_HEX_LEN + 1];

	/* Set by hub_push(): */
	bool large;
	bool there; /* the repository has it */
};

/* Reports the bytes of large files that are sent or there, and which file is next. */
typedef void push_progress_fn(void *ctx, uint64_t done, uint64_t total, const char *detail);

struct push {
	const char *repo;
	const char *summary; /* of the commit */
	bool create;         /* make the repository if there is none */
	bool private;        /* and only for its owner */
	int fd_stop;         /* stops with E_CANCELLED once readable; -1: none */
	push_progress_fn *progress;
	void *ctx;
};

/* *ret is the commit's URL, or NULL when the repository has all files already; the caller frees it. */
int hub_push(const struct push *p, struct push_file *files, size_t n, char **ret, struct err *e);

#endif
