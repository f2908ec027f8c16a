/*
 * Reads and writes whole files and folders by path. Use folder.h for files of untrusted folders, map.h to map files.
 *
 * All descriptors are opened with O_CLOEXEC. Visible files are made by write, fsync and rename; folders by rename and
 * fsync of the parent.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <sys/stat.h>

#include "err.h"

/* Opens a regular file for reading. Fails with `code` when the path is missing, not a regular file or unreadable. */
int fs_open_file(const char *path, int code, int *ret_fd, uint64_t *ret_len, struct err *e);

/* Read a whole regular file of at most `max` bytes. A NUL follows the *ret_len bytes. The caller frees *ret. */
int fs_read(const char *path, uint64_t max, int code, char **ret, size_t *ret_len, struct err *e);

/* Write all `len` bytes, with as many calls of write() as needed. */
int fs_write_all(int fd, const void *data, size_t len, const char *path, struct err *e);

/* fsync() of a file of `len` bytes, in steps that are each a sign of life (pulse.h). */
int fs_sync_file(int fd, uint64_t len, const char *path, struct err *e);

/* Replaces `path` by these bytes: temporary name, fsync, rename, fsync of the folder. */
int fs_write_file(const char *path, const void *data, size_t len, struct err *e);

/* Create a file that must not exist yet. Its content is synced, its name in the folder is not. */
int fs_write_new(const char *path, const void *data, size_t len, struct err *e);

int fs_mkdir(const char *path, mode_t mode, struct err *e);   /* existing folders are fine */
int fs_mkdir_p(const char *path, mode_t mode, struct err *e); /* with its parents */
int fs_sync_dir(const char *path, struct err *e);             /* makes the names in it durable */
int fs_sync_tree(const char *path, struct err *e);            /* every file and folder below, then itself */

/* Rename, then fsync both folders. */
int fs_rename(const char *from, const char *to, struct err *e);

/* Swap two files or folders, then fsync both parents. One atomic step if the file system supports it, else several renames. */
int fs_exchange(const char *a, const char *b, struct err *e);

/* Removes a file or a whole folder, following no link. A missing path is success. */
int fs_remove(const char *path, struct err *e);

bool fs_exists(const char *path);
bool fs_is_dir(const char *path);

/*
 * Opens `path`, which is relative, below the folder `dir`. Links are followed, but nothing may
 * lead out of `dir`: no "..", no absolute link, no magic link of /proc. Those fail with
 * E_NOT_ALLOWED, everything else with `code`.
 */
int fs_open_beneath(const char *dir, const char *path, int flags, int code, int *ret_fd, struct err *e);

/* The same below the folder that `dir_fd` is open on; `dir` is its name for the message. */
int fs_open_beneath_fd(int dir_fd, const char *dir, const char *path, int flags, int code, int *ret_fd,
		       struct err *e);

/* Read a whole open regular file, whose size `len` comes from fstat(); otherwise like fs_read(). */
int fs_read_fd(int fd, uint64_t len, uint64_t max, const char *path, int code, char **ret, size_t *ret_len,
	       struct err *e);

/* The part of `path` below the folder `dir`, comparing text only; NULL when `path` is not below it. */
const char *fs_below(const char *dir, const char *path);

/* Bytes free to us on the file system that holds `path`. */
int fs_free_bytes(const char *path, uint64_t *ret, struct err *e);

/* "DIR/NAME" on the heap; NULL when memory ran out. */
char *fs_join(const char *dir, const char *name);

/* The last component of a path, within it. */
const char *fs_basename(const char *path);

/* A plain file name: not empty, not "." or "..", no '/', at most 255 bytes. */
bool fs_name_ok(const char *name);

/* Plain names with a '/' between: "text.onnx", "onnx/model.onnx". Nothing that leads out of a folder. */
bool fs_path_ok(const char *path);

/* Path of one of our programs: beside the running executable. The caller frees it. */
int fs_sibling(const char *program, char **ret, struct err *e);

#endif
