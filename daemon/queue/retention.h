/*
 * Removes artifacts and jobs, because of the limits in the settings or on request.
 *
 * A removal has three steps. After a crash between two steps the next start completes or repeats the rest
 * (recover.h):
 *
 *	1  mark the artifacts as removed in the jobs' rows, delete the rows of their files
 *	2  move the artifacts to trash/, delete reports of failed jobs, fsync the folders
 *	3  delete all rows of the jobs that are removed entirely
 *
 * The API thus never lists a deleted file, and every folder in artifacts/ has its job.
 */
#ifndef QUEUE_RETENTION_H
#define QUEUE_RETENTION_H

#include "store.h"

/* Limits, 0 or more; RETENTION_ALL: no limit. */
#define RETENTION_ALL (-1)

struct retention {
	int64_t artifacts; /* keep this many, the newest */
	int64_t bytes; /* keep this many bytes of the newest; the newest one stays even if it is larger, unless this is 0 */
	int64_t seconds; /* keep those younger than this */
	int64_t jobs;    /* keep this many ended jobs, the newest */
};

/* clang-format off */
#define RETENTION_INIT { RETENTION_ALL, RETENTION_ALL, RETENTION_ALL, RETENTION_ALL }
/* clang-format on */

/* What a removal selects or has removed. */
struct removal {
	struct removal_ids {
		int64_t *ids;
		size_t n;
	} artifacts, jobs; /* a job that is removed entirely is in both lists if it had an artifact */
	int64_t bytes;     /* that the disk frees: of files that no other artifact has */
};

/* clang-format off */
#define REMOVAL_INIT { .bytes = 0 }
/* clang-format on */

void removal_release(struct removal *r);

/* Adds the content of `more`. */
int removal_add(struct removal *r, const struct removal *more, struct err *e);

/* Add what exceeds the limits, oldest first: at most `max` artifacts and `max` jobs. */
int retention_select(struct store *s, const struct retention *keep, int64_t now, int64_t max,
		     struct removal *ret, struct err *e);

/*
 * Select a few things that exceed the limits and remove them, with two commits and one fsync. Returns 1 when
 * something was removed (call again), 0 when nothing exceeds the limits.
 */
int retention_turn(struct store *s, const char *state_dir, const struct retention *keep, int64_t now,
		   struct removal *ret, struct err *e);

/* Add the artifact of a job; add nothing if it was removed before. E_NOT_FOUND: no such job; E_CONFLICT: it never had one. */
int retention_select_artifact(struct store *s, int64_t id, struct removal *ret, struct err *e);

/* Adds an ended job with everything it has. E_NOT_FOUND, E_CONFLICT. */
int retention_select_job(struct store *s, int64_t id, struct removal *ret, struct err *e);

/* Run a removal. Do not call it within a batch. On a full disk it deletes the reserve. After a failure it may be repeated. */
int removal_run(struct store *s, const char *state_dir, const struct removal *what, int64_t now,
		struct err *e);

struct stored {
	int64_t artifacts;
	int64_t bytes;
};

/* Totals over the stored artifacts; takes the same time with any number of them. */
int store_stored(struct store *s, struct stored *ret, struct err *e);

struct stored_artifact {
	int64_t job;
	const char *model;
	int64_t published;
	int64_t files;
	int64_t bytes;
};

/* A negative return stops the listing and becomes its result. */
typedef int (*store_artifact_fn)(const struct stored_artifact *a, void *arg, struct err *e);

/* Newest job first: at most `limit`, of jobs with ids below `before`. */
int store_artifact_list(struct store *s, int64_t before, int limit, store_artifact_fn fn, void *arg,
			struct err *e);

#endif
