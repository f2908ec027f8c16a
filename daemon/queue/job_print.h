/* Prints a job as the JSON object that proto/api.md describes. */
#ifndef QUEUE_JOB_PRINT_H
#define QUEUE_JOB_PRINT_H

#include "job.h"

/* Facts about a job that change too fast to be stored in its row. */
struct job_moment {
	const char *stage;    /* NULL: it has none */
	const char *progress; /* JSON; NULL: none */
	int64_t ahead;        /* number of queued jobs ahead of it; -1: not counted */
	bool stopping;        /* the daemon is stopping and starts no more jobs */
};

void job_print(const struct job *job, const struct job_moment *now, struct buf *b);

#endif
