/*
 * Stores the stages and log lines of workers as numbered events, and shows each only after it is durable.
 *
 * A commit costs an fsync, so events are collected and committed together, at most every JOURNAL_MS. The first few
 * stages of an attempt are committed at once; colconv-worker has no more than these. To keep events in order, call
 * journal_flush() before every change of a job's state, and journal_flush_stage() before showing a stage's progress.
 *
 * Events that the queue cannot store (the disk is full) are dropped and reported to spec->failed: a lost log line
 * must not fail a job.
 */
#ifndef SERVICE_JOURNAL_H
#define SERVICE_JOURNAL_H

#include "dispatch.h"

#define JOURNAL_MS 100

/* Per attempt: how many stages are committed at once, and how many are stored at all. */
#define JOURNAL_STAGES_PROMPT 16
#define JOURNAL_STAGES_MAX 1000

struct journal {
	const struct dispatch_spec *spec; /* borrowed */
	struct live *live;                /* sends the events to clients */
	struct loop_timer due;
	STAILQ_HEAD(, journal_row) rows;
	uint64_t flushes; /* number of flushes */
};

/* Log bytes and stages that a job has used, out of its limits. */
struct journal_use {
	int64_t job;
	int attempt;
	uint64_t log_size;
	unsigned stages;
	uint64_t stage_flushes; /* `flushes` when the last stage was added */
};

void journal_init(struct journal *j, const struct dispatch_spec *spec);
void journal_release(struct journal *j); /* flushes */

/* Call when an attempt begins. From the second attempt on it adds a line to the log that says so. */
void journal_begin(struct journal *j, struct journal_use *u, int64_t job, int attempt);

void journal_stage(struct journal *j, struct journal_use *u, const char *stage);
void journal_log(struct journal *j, struct journal_use *u, const char *line);
void journal_flush(struct journal *j);

/* Flush only if the attempt's last stage is not committed yet. */
void journal_flush_stage(struct journal *j, const struct journal_use *u);

#endif
