/* Lists the jobs that match a filter, newest first, one page per call. */
#ifndef QUEUE_LIST_H
#define QUEUE_LIST_H

#include "job.h"

#define LIST_LABELS_MAX 16

/* A job matches when it fits every member that is set. */
struct list_filter {
	bool states[JOB_STATE_MAX]; /* one of these; all false: any state */
	const char *model;          /* NULL: any model; the same for the next two */
	const char *reason;
	const char *owner;
	struct {
		const char *name, *value;
	} labels[LIST_LABELS_MAX];
	size_t n_labels;
};

/* A negative return stops the listing and becomes its result. Do not change or keep the job. */
/* Return 1 to end the page with this job. */
typedef int (*list_fn)(const struct job *job, void *arg, struct err *e);

/*
 * At most `limit` jobs with ids below `cursor` (INT64_MAX: from the newest on). *ret_next is the cursor of the next
 * page, 0 when this was the last. A call reads a limited number of rows, so a page may be short or
 * even empty although more pages follow. The callback must not change jobs that are still to be listed.
 */
int list_jobs(struct store *s, const struct list_filter *f, int64_t cursor, int limit, list_fn fn, void *arg,
	      int64_t *ret_next, struct err *e);

#endif
