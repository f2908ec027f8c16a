/* Counts requests, claims and attempts for the API's metrics. */
#ifndef SERVICE_COUNTERS_H
#define SERVICE_COUNTERS_H

#include "http/api/metrics.h"
#include "http/core/server.h"
#include "queue/job.h"

/* A request whose answer begins. */
void counters_request(struct metrics *m, const struct server_request *q);

/* A job that was claimed for a runner. */
void counters_claim(struct metrics *m, const struct job *job);

/* An attempt that ended. `code` 0: its artifact was published. */
void counters_attempt(struct metrics *m, int code, const struct job_stage *stages, size_t n_stages);

#endif
