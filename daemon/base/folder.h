/*
 * A folder that somebody else filled: a checkpoint, an adapter, the references of a job.
 *
 * Its files are opened by name and beneath it: a link that leads out of the folder is refused with
 * E_NOT_ALLOWED, so that nobody gets the contents of /etc/passwd by naming a link vocab.json. One
 * exception: the snapshots of the Hub's cache are links to blobs of the same repository,
 *
 *	models--OWNER--NAME/snapshots/COMMIT/config.json -> ../../blobs/HASH
 *
 * so in such a folder the boundary is models--OWNER--NAME.
 *
 * A folder remembers each file that was opened. folder_check() says whether one of them changed
 * since: another inode, size, time of modification or of change. What was read of them before and
 * after is then not of one state.
 *
 * Not for several threads at once.
 */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include "err.h"

struct folder;

/* The folders that a job may read; n 0: all. */
struct folder_roots {
	const char *const *dir;
	size_t n;
};

/*
 * Opens the folder itself. E_NOT_ALLOWED when it does not lie beneath one of the roots, links
 * followed; `code` when it cannot be opened. The strings of `roots` are not kept.
 */
int folder_open(const char *path, struct folder_roots roots, int code, struct folder **ret, struct err *e);
void folder_free(struct folder **f);

const char *folder_path(const struct folder *f); /* as it was given, without slashes at its end */

/* There is something of that name, a broken link too. */
bool folder_has(const struct folder *f, const char *name);

/*
 * Opens a regular file of the folder. E_NOT_ALLOWED for a link that leads out, and for a file of
 * another owner than the folder's that has several names: such a hard link may be to a file that
 * only we may read. E_SOURCE_CHANGED when it was opened before and is another now.
 */
int folder_open_file(struct folder *f, const char *name, int code, int *ret_fd, uint64_t *ret_len,
		     struct err *e);

/* As fs_read(). */
int folder_read(struct folder *f, const char *name, uint64_t max, int code, char **ret, size_t *ret_len,
		struct err *e);

/* E_SOURCE_CHANGED, with a sentence that names the file and what changed, when one is not as it was opened. */
int folder_check(const struct folder *f, struct err *e);

#endif
