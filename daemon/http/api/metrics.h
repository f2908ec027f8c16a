/*
 * The daemon's figures that GET /metrics prints for Prometheus. The service counts them
 * (service/counters.h); the API only reads them. All zero at the start.
 */
#ifndef HTTP_API_METRICS_H
#define HTTP_API_METRICS_H

#include "base/err.h"
#include "routes.h"

#define METRICS_BUCKETS 8 /* the last one has no upper limit */

extern const struct metrics_bucket {
	int64_t us;     /* upper limit */
	const char *le; /* the same in seconds, as Prometheus writes it */
} metrics_buckets[METRICS_BUCKETS];

/* The stages of colconv-worker. A stage with another name is counted as METRICS_STAGE_OTHER. */
enum metrics_stage {
	METRICS_STAGE_RESOLVE,
	METRICS_STAGE_TRACE,
	METRICS_STAGE_EXPORT,
	METRICS_STAGE_REFERENCE,
	METRICS_STAGE_PARITY,
	METRICS_STAGE_OTHER,
	METRICS_STAGE_MAX
};

extern const char *const metrics_stages[METRICS_STAGE_MAX];

struct metrics_sum {
	double seconds;
	uint64_t n;
};

struct metrics {
	uint64_t submissions;
	uint64_t attempts[ERR_INDEX_MAX]; /* ended, by reason; ERR_INDEX_NONE: done */
	struct metrics_sum waits;         /* from a submission to the first attempt */
	struct metrics_sum stages[METRICS_STAGE_MAX];
	struct {
		uint64_t answers[5]; /* 1xx, 2xx, ... */
		uint64_t buckets[METRICS_BUCKETS];
		double seconds;
	} routes[ROUTE_MAX + 1]; /* the last one: requests that matched no route */
};

#endif
