/* The routes of a job; what submits one is in api_submit.c, what lists them in api_list.c. */
#include "api.h"

#include <inttypes.h>

void
api_job_print(const struct server *s, const struct job *job, int64_t ahead, struct buf *b)
{
	const struct run *run = job->state == JOB_RUNNING ? run_find(s->spec.runners, job->id) : NULL;
	_cleanup_(json_decrefp) json_t *progress = run && *run->stage ? run_progress_to_json(run) : NULL;
	_cleanup_free_ char *text = progress ? json_dumps(progress, REPLY_JSON) : NULL;
	const struct job_moment now = {
		.stage = run && *run->stage ? run->stage : NULL,
		.progress = text,
		.ahead = ahead,
	};

	job_print(job, &now, b);
}

int
api_job_reply(struct request *q, unsigned status, const struct job *job, int64_t ahead, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	api_job_print(q->server, job, ahead, &b);
	return reply_text_take(q, status, &b, "application/json", e);
}

/* The job of the path. */
static int
job_load(struct request *q, struct job *ret, struct err *e)
{
	return store_job_get(q->server->spec.store, q->id, ret, e);
}

static int
job_reply(struct request *q, unsigned status, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int64_t ahead = -1;
	int r = job_load(q, &job, e);

	/* counted for one job, and not for each of a list */
	if (r == 0 && job.state == JOB_QUEUED)
		r = store_job_ahead(q->server->spec.store, &job, &ahead, e);
	return r < 0 ? r : api_job_reply(q, status, &job, ahead, e);
}

int
api_job_get(struct request *q, struct err *e)
{
	int r = wait_job(q, e);

	return r ? MIN(r, 0) : job_reply(q, MHD_HTTP_OK, e);
}

int
api_job_cancel(struct request *q, struct err *e)
{
	const struct server_spec *spec = &q->server->spec;
	struct run *run;
	enum job_state state;
	int r;

	r = job_cancel(spec->store, q->id, job_now(), &state, e);
	if (r < 0)
		return r;
	run = run_find(spec->runners, q->id);
	if (run && run->child)
		child_stop(run->child, E_CANCELLED, "cancelled on request");
	server_publish(q->server);
	return job_reply(q, state == JOB_RUNNING ? MHD_HTTP_ACCEPTED : MHD_HTTP_OK, e);
}

int
api_queue_check(const struct server *s, int64_t queued, struct err *e)
{
	if ((uint64_t)queued < s->spec.queue_max)
		return 0;
	return err_set(e, E_BUSY, "%" PRId64 " jobs are queued, which is the limit", queued);
}

int
api_job_retry(struct request *q, struct err *e)
{
	const struct server_spec *spec = &q->server->spec;
	int64_t counts[JOB_STATE_MAX];
	int r;

	r = store_counts(spec->store, counts, e);
	if (r == 0)
		r = api_queue_check(q->server, counts[JOB_QUEUED], e);
	if (r == 0)
		r = job_retry(spec->store, q->id, job_now(), e);
	if (r < 0)
		return r;
	server_publish(q->server);
	spec->submitted(spec->arg);
	return job_reply(q, MHD_HTTP_OK, e);
}
