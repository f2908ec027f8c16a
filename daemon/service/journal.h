/*
 * From what workers say to numbered events: stages and lines of the log, durable before anyone sees them.
 *
 * A commit costs an fsync, so lines are gathered and share one, at most every JOURNAL_MS. A stage
 * is committed at once, with the lines before it: stages are few. journal_flush() comes before every
 * change of a job's state, for the events to be in order.
 *
 * What the queue does not take (its disk is full) is lost, with a word to spec.failed: a worker's
 * lines are not worth a job.
 */
#ifndef SERVICE_JOURNAL_H
#define SERVICE_JOURNAL_H

#include "http/server.h"

#define JOURNAL_MS 100

/* Of one attempt; more are not written down. */
#define JOURNAL_STAGES_MAX 1000

struct journal_spec {
	struct loop *loop;
	struct store *store;
	uint64_t log_max; /* bytes of a job's log, all attempts together */
	void (*failed)(void *arg, const struct err *why);
	void *arg;
};

struct journal {
	struct journal_spec spec;
	struct server *server; /* shows the events */
	struct loop_timer due;
	STAILQ_HEAD(, journal_row) rows;
};

/* What the attempts of a job have used up. */
struct journal_use {
	int64_t job;
	int attempt;
	uint64_t log_size;
	unsigned stages;
};

void journal_init(struct journal *j, const struct journal_spec *spec);
void journal_release(struct journal *j); /* flushes */

/* An attempt begins. From the second on its log begins with a line that says so. */
void journal_begin(struct journal *j, struct journal_use *u, int64_t job, int attempt);

void journal_stage(struct journal *j, struct journal_use *u, const char *stage);
void journal_log(struct journal *j, struct journal_use *u, const char *line);
void journal_flush(struct journal *j);

#endif
