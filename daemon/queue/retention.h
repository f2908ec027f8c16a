/*
 * What is stored, and what takes it away: limits, and requests.
 *
 * Each removal is a row of steps, and a crash between two of them leaves what the next start mends
 * (recover.h) or what was not asked for yet:
 *
 *	1  the rows of the jobs say that their artifacts were removed, and the rows of files go
 *	2  the artifacts are moved to trash/, reports of failed jobs are removed, and that is made durable
 *	3  the jobs that go whole are forgotten, with every row that is theirs
 *
 * So nobody is shown a file that is gone, and no folder is left without the job that it belonged to.
 */
#ifndef QUEUE_RETENTION_H
#define QUEUE_RETENTION_H

#include "store.h"

/* What to keep, at least 0; RETENTION_ALL: no limit. */
#define RETENTION_ALL (-1)

struct retention {
	int64_t artifacts; /* the newest so many */
	int64_t bytes;     /* of the newest artifacts. But for 0, the very newest stays, however large */
	int64_t seconds;   /* artifacts that are younger */
	int64_t jobs;      /* the newest so many that ended */
};

/* clang-format off */
#define RETENTION_INIT { RETENTION_ALL, RETENTION_ALL, RETENTION_ALL, RETENTION_ALL }
/* clang-format on */

/* What goes, or went. */
struct removal {
	struct removal_ids {
		int64_t *ids;
		size_t n;
	} artifacts, jobs; /* an artifact whose job goes whole is among both */
	int64_t bytes;     /* of the artifacts */
};

/* clang-format off */
#define REMOVAL_INIT { .bytes = 0 }
/* clang-format on */

void removal_release(struct removal *r);

/* Adds what `more` has. */
int removal_add(struct removal *r, const struct removal *more, struct err *e);

/* Adds what is beyond the limits, the oldest first; at most `max` artifacts, and as many jobs. */
int retention_select(struct store *s, const struct retention *keep, int64_t now, int64_t max,
		     struct removal *ret, struct err *e);

/*
 * Selects some of what is beyond the limits and runs that: two commits, and an fsync for all. 1: it went, and there may
 * be more; 0: there was nothing.
 */
int retention_turn(struct store *s, const char *state_dir, const struct retention *keep, int64_t now,
		   struct removal *ret, struct err *e);

/* Adds the artifact of a job; none when it was removed already. E_NOT_FOUND; E_CONFLICT: it never had any. */
int retention_select_artifact(struct store *s, int64_t id, struct removal *ret, struct err *e);

/* Adds an ended job with all it has. E_NOT_FOUND, E_CONFLICT. */
int retention_select_job(struct store *s, int64_t id, struct removal *ret, struct err *e);

/* Not within a batch. On a full disk it gives back the reserve. Safe to call again with the same after it failed. */
int removal_run(struct store *s, const char *state_dir, const struct removal *what, int64_t now,
		struct err *e);

struct stored {
	int64_t artifacts;
	int64_t bytes;
};

/* The sums over the artifacts that are there; costs the same with any number. */
int store_stored(struct store *s, struct stored *ret, struct err *e);

struct stored_artifact {
	int64_t job;
	const char *model;
	int64_t published;
	int64_t files;
	int64_t bytes;
};

/* A negative return ends the listing, which returns it. */
typedef int (*store_artifact_fn)(const struct stored_artifact *a, void *arg, struct err *e);

/* Newest job first: at most `limit`, of jobs with ids below `before`. */
int store_artifact_list(struct store *s, int64_t before, int limit, store_artifact_fn fn, void *arg,
			struct err *e);

#endif
