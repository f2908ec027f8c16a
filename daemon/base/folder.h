/*
 * Reads files of a folder whose content we cannot trust: a checkpoint, an adapter, the references of a job.
 *
 * Files are opened by name and only inside the folder. A link that leads out is refused with E_NOT_ALLOWED, so that a
 * link vocab.json -> /etc/passwd does not get into an artifact. One exception: snapshots in the Hub's cache are
 * links to blobs of the same repository,
 *
 *	models--OWNER--NAME/snapshots/COMMIT/config.json -> ../../blobs/HASH
 *
 * so in such a folder, and in a folder within it, the boundary is models--OWNER--NAME.
 *
 * folder_check() compares each file that was opened with its state at that time: inode, size, times of modification
 * and of status change. After a difference, the bytes read may belong to different versions of the file.
 *
 * Use a folder from one thread at a time.
 */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include "err.h"

struct folder;

/* The folders that a job may read. n == 0: all folders. */
struct folder_roots {
	const char *const *dir;
	size_t n;
};

/*
 * Open a folder. E_NOT_ALLOWED when it lies outside all roots after following links; `code` when it cannot be
 * opened. The strings in `roots` need not live longer than the call.
 */
int folder_open(const char *path, struct folder_roots roots, int code, struct folder **ret, struct err *e);
void folder_free(struct folder **f);

const char *folder_path(const struct folder *f); /* the path as given, without slashes at its end */

/* Whether an entry of that name exists; also true for a broken link. */
bool folder_has(const struct folder *f, const char *name);

/* Calls `fn` for at most `max` entries. Returns 0; or 1 when there are more, or the folder cannot be listed. */
int folder_each(const struct folder *f, size_t max, void (*fn)(void *arg, const char *name), void *arg);

/*
 * Open a regular file of the folder. E_NOT_ALLOWED for a link that leads out, and for a file with several hard links
 * whose owner is not the folder's: it may be a link to a file that only the daemon can read. E_SOURCE_CHANGED when
 * the file was opened before and has changed since.
 */
int folder_open_file(struct folder *f, const char *name, int code, int *ret_fd, uint64_t *ret_len,
		     struct err *e);

/* As fs_read(). */
int folder_read(struct folder *f, const char *name, uint64_t max, int code, char **ret, size_t *ret_len,
		struct err *e);

/* The files that were opened so far, each once. */
size_t folder_opened_count(const struct folder *f);
const char *folder_opened(const struct folder *f, size_t i); /* its name */

/* E_SOURCE_CHANGED when a file changed since it was opened; the message names the file and the change. */
int folder_check(const struct folder *f, struct err *e);

#endif
