/*
 * What the daemon counts, for Prometheus.
 *
 * Counting is an addition in an array; names and labels are made when they are asked for. All zero
 * at the start.
 */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include "base/buf.h"
#include "queue/job.h"
#include "route.h"

#define METRICS_BUCKETS 8 /* the last one takes what is above all limits */

/* The stages of colconv-worker; what another worker calls its own counts as the last. */
enum metrics_stage {
	METRICS_STAGE_RESOLVE,
	METRICS_STAGE_TRACE,
	METRICS_STAGE_EXPORT,
	METRICS_STAGE_REFERENCE,
	METRICS_STAGE_PARITY,
	METRICS_STAGE_OTHER,
	METRICS_STAGE_MAX
};

struct metrics_sum {
	double seconds;
	uint64_t n;
};

struct metrics {
	uint64_t submissions;
	uint64_t attempts[ERR_INDEX_MAX]; /* ended, by why; ERR_INDEX_NONE: done */
	struct metrics_sum waits;         /* from a submission to the first attempt */
	struct metrics_sum stages[METRICS_STAGE_MAX];
	struct {
		uint64_t answers[5]; /* 1xx, 2xx, ... */
		uint64_t buckets[METRICS_BUCKETS];
		double seconds;
	} routes[ROUTE_MAX + 1]; /* the last one: what is no route */
};

/* An answer begins; `route` may be NULL. */
void metrics_request(struct metrics *m, const struct route *route, unsigned status, int64_t us);

void metrics_claim(struct metrics *m, const struct job *job);

/* `code` 0: it was published. */
void metrics_attempt(struct metrics *m, int code, const struct job_stage *stages, size_t n_stages);

/* Microseconds of the monotonic clock. */
int64_t metrics_now_us(void);

/* The text that Prometheus reads (version 0.0.4). */
struct server;
int metrics_print(const struct server *s, struct buf *b, struct err *e);

#endif
