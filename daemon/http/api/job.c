/* The routes of one job. submit.c makes jobs and list.c lists them. */
#include "api_private.h"

#include <inttypes.h>

#include "http/core/param.h"
#include "queue/job_print.h"
#include "runner/runner.h"

void
api_job_print(const struct api *a, const struct job *job, int64_t ahead, struct buf *b)
{
	const struct run *run = job->state == JOB_RUNNING ? run_find(a->spec.runners, job->id) : NULL;
	_cleanup_(json_decrefp) json_t *progress = run && *run->stage ? run_progress_to_json(run) : NULL;
	_cleanup_free_ char *text = progress ? json_text(progress, REPLY_JSON) : NULL;
	const struct job_moment now = {
		.stage = run && *run->stage ? run->stage : NULL,
		.progress = text,
		.ahead = ahead,
		.stopping = a->stopping,
	};

	job_print(job, &now, b);
}

int
api_job_reply(struct request *q, unsigned status, const struct job *job, int64_t ahead, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	api_job_print(api_of(q), job, ahead, &b);
	return reply_text_take(q, status, &b, "application/json", e);
}

/* Loads the job that the path names. */
static int
job_load(struct request *q, struct job *ret, struct err *e)
{
	return store_job_get(api_of(q)->spec.store, q->id, ret, e);
}

static int
job_reply(struct request *q, unsigned status, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int64_t ahead = -1;
	int r = job_load(q, &job, e);

	/* counted for a single job only: too slow for each row of a list */
	if (r == 0 && job.state == JOB_QUEUED)
		r = store_job_ahead(api_of(q)->spec.store, &job, &ahead, e);
	return r < 0 ? r : api_job_reply(q, status, &job, ahead, e);
}

/*
 * Reads the parameters `wait` and `after`. Returns 1 when the request now waits, 0 when it is to be answered
 * now.
 */
static int
job_wait(struct request *q, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	uint64_t seconds = 0, after = UINT64_MAX;
	const struct param params[] = {
		{"wait", 0, LIVE_WAIT_MAX, &seconds},
		{"after", 0, INT64_MAX, &after},
	};
	bool due;
	int r;

	r = params_get(q, params, ARRAY_LEN(params), e);
	if (r < 0 || q->waited || !seconds)
		return r;
	r = job_load(q, &job, e);
	if (r < 0)
		return r;
	due = after == UINT64_MAX ? job_state_ended(job.state) : job.event > (int64_t)after;
	if (due)
		return 0;
	r = live_wait(api_of(q)->live, q, after == UINT64_MAX ? LIVE_JOB_END : (int64_t)after, seconds, e);
	return r < 0 ? r : 1;
}

int
api_job_get(struct request *q, struct err *e)
{
	int r = job_wait(q, e);

	return r ? MIN(r, 0) : job_reply(q, MHD_HTTP_OK, e);
}

int
api_job_cancel(struct request *q, struct err *e)
{
	const struct api_spec *spec = &api_of(q)->spec;
	struct run *run;
	enum job_state state;
	int r;

	r = api_check_owner(q, e);
	if (r == 0)
		r = job_cancel(spec->store, q->id, job_now(), &state, e);
	if (r < 0)
		return r;
	api_changed(q, q->id, state == JOB_RUNNING ? "asked to stop" : "cancelled", /*model=*/NULL);
	run = run_find(spec->runners, q->id);
	if (run && run->child)
		child_stop(run->child, E_CANCELLED, "cancelled on request");
	live_publish(api_of(q)->live);
	return job_reply(q, state == JOB_RUNNING ? MHD_HTTP_ACCEPTED : MHD_HTTP_OK, e);
}

int
api_queue_check(const struct api *a, int64_t queued, struct err *e)
{
	if ((uint64_t)queued < a->spec.queue_max)
		return 0;
	return err_set(e, E_BUSY, "%" PRId64 " jobs are queued, which is the limit (queue_max)", queued);
}

int
api_job_retry(struct request *q, struct err *e)
{
	const struct api_spec *spec = &api_of(q)->spec;
	int64_t counts[JOB_STATE_MAX];
	int r;

	r = api_check_owner(q, e);
	if (r == 0)
		r = store_counts(spec->store, counts, e);
	if (r == 0)
		r = api_queue_check(api_of(q), counts[JOB_QUEUED], e);
	if (r == 0)
		r = job_retry(spec->store, q->id, job_now(), e);
	if (r < 0)
		return r;
	api_changed(q, q->id, "queued again", /*model=*/NULL);
	live_publish(api_of(q)->live);
	spec->submitted(spec->arg, /*n=*/0);
	return job_reply(q, MHD_HTTP_OK, e);
}
