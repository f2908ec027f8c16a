/* Shared by the files of this folder: paths, listing of folders, opening of files. */
#ifndef ARTIFACT_LAYOUT_H
#define ARTIFACT_LAYOUT_H

#include <sys/stat.h>

#include "artifact.h"

#define LAYOUT_REPORT "parity.json"
#define LAYOUT_MODE 0750 /* of folders */

/* Paths below the state folder (artifact.h) on the heap; NULL when memory ran out. */
char *layout_staging(const char *state_dir, int64_t job, int attempt);
char *layout_artifact(const char *state_dir, int64_t job);
char *layout_report(const char *state_dir, int64_t job); /* the folder of a report that was kept */

/* Calls `fn` for every entry until it returns other than 0, which is then returned. */
typedef int (*layout_fn)(const char *dir, const char *name, void *arg, struct err *e);
int layout_each(const char *dir, layout_fn fn, void *arg, struct err *e);

/* Move a file or folder of the state folder to trash/, without fsync. A missing one is success. */
int layout_trash(const char *state_dir, const char *path, struct err *e);

/* Open a plain file for reading, in the folder or in one below it; E_NOT_FOUND for anything else. */
int layout_open(const char *dir, const char *name, int *ret_fd, struct stat *ret_st, struct err *e);

/*
 * List the files of an artifact's folder and check them against its manifest (E_MISMATCH). `shared`: they may have
 * other links, as those of artifact_share() have.
 */
int layout_list(const char *dir, bool shared, struct artifact_list *ret, struct err *e);

#endif
