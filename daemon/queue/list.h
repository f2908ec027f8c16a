/* Jobs by what they have in common, newest first, a page at a time. */
#ifndef QUEUE_LIST_H
#define QUEUE_LIST_H

#include "job.h"

#define LIST_LABELS_MAX 16

/* All that is given must hold. */
struct list_filter {
	bool states[JOB_STATE_MAX]; /* any of these; none: any at all */
	const char *model;          /* NULL: any; so the next two */
	const char *reason;
	const char *owner;
	struct {
		const char *name, *value;
	} labels[LIST_LABELS_MAX];
	size_t n_labels;
};

/* A negative return ends the listing, which returns it. The job is the callee's to read only. */
/* 1: the page is full, this job is its last one. */
typedef int (*list_fn)(const struct job *job, void *arg, struct err *e);

/*
 * At most `limit` jobs with ids below `cursor` (INT64_MAX: from the newest on). *ret_next is the cursor of the next
 * page, 0 when this was the last. A call looks at so many rows and no more, so a page may be short, or empty, and not
 * be the last. The listing must not change the jobs that it is yet to come to.
 */
int list_jobs(struct store *s, const struct list_filter *f, int64_t cursor, int limit, list_fn fn, void *arg,
	      int64_t *ret_next, struct err *e);

#endif
