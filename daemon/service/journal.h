/*
 * From what workers say to numbered events: stages and lines of the log, durable before anyone sees them.
 *
 * A commit costs an fsync, so they are gathered and share one, at most every JOURNAL_MS. The first
 * stages of an attempt, which are all that a worker of ours has, are committed at once. Events stay in
 * order: call journal_flush() before every change of a job's state, and journal_flush_stage() before the
 * progress of a stage is shown.
 *
 * What the queue does not take (its disk is full) is lost, with a word to spec->failed: a worker's
 * lines are not worth a job.
 */
#ifndef SERVICE_JOURNAL_H
#define SERVICE_JOURNAL_H

#include "dispatch.h"

#define JOURNAL_MS 100

/* Of one attempt: stages that are committed at once, and that are written down at all. */
#define JOURNAL_STAGES_PROMPT 16
#define JOURNAL_STAGES_MAX 1000

struct journal {
	const struct dispatch_spec *spec; /* borrowed */
	struct live *live;                /* shows the events */
	struct loop_timer due;
	STAILQ_HEAD(, journal_row) rows;
	uint64_t flushes; /* until now */
};

/* What the attempts of a job have used up. */
struct journal_use {
	int64_t job;
	int attempt;
	uint64_t log_size;
	unsigned stages;
	uint64_t stage_flushes; /* `flushes` when the last stage was written down */
};

void journal_init(struct journal *j, const struct dispatch_spec *spec);
void journal_release(struct journal *j); /* flushes */

/* An attempt begins. From the second on its log begins with a line that says so. */
void journal_begin(struct journal *j, struct journal_use *u, int64_t job, int attempt);

void journal_stage(struct journal *j, struct journal_use *u, const char *stage);
void journal_log(struct journal *j, struct journal_use *u, const char *line);
void journal_flush(struct journal *j);

/* Flushes when the attempt's stage is not committed yet. */
void journal_flush_stage(struct journal *j, const struct journal_use *u);

#endif
