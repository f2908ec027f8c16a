#include "counters.h"

#include "base/str.h"

void
counters_request(struct metrics *m, const struct server_request *q)
{
	const size_t i = q->route ? (size_t)(q->route - routes) : ROUTE_MAX;
	size_t b = 0;

	while (q->us > metrics_buckets[b].us)
		b++;
	assert(q->status >= 100 && q->status < 600);
	m->routes[i].answers[q->status / 100 - 1]++;
	m->routes[i].buckets[b]++;
	m->routes[i].seconds += (double)q->us / 1e6;
}

static void
sum_add(struct metrics_sum *sum, double seconds)
{
	sum->seconds += seconds;
	sum->n++;
}

void
counters_claim(struct metrics *m, const struct job *job)
{
	if (job->attempt == 1)
		sum_add(&m->waits, (double)MAX(job->started - job->created, 0) / 1e3);
}

void
counters_attempt(struct metrics *m, int code, const struct job_stage *stages, size_t n_stages)
{
	size_t i, k;

	m->attempts[-code]++;
	for (i = 0; i < n_stages; i++) {
		for (k = 0; k < METRICS_STAGE_OTHER && !str_eq(metrics_stages[k], stages[i].name); k++)
			;
		sum_add(&m->stages[k], stages[i].seconds);
	}
}
