/* The routes of a job; what submits one is in api_submit.c, what lists them in api_list.c. */
#include "api.h"

#include <inttypes.h>

json_t *
api_job_json(const struct server *s, const struct job *job)
{
	const struct run *run = job->state == JOB_RUNNING ? run_find(s->spec.runners, job->id) : NULL;
	json_t *j = job_to_json(job);

	if (run && *run->stage) {
		(void)json_object_set_new(j, "stage", json_string(run->stage));
		(void)json_object_set_new(j, "progress", run_progress_to_json(run));
	}
	return j;
}

/* The job of the path. */
static int
job_load(struct request *q, struct job *ret, struct err *e)
{
	return store_job_get(q->server->spec.store, q->id, ret, e);
}

/* How many come before a queued job: counted for one job, and not for each of a list. */
static int
ahead_set(const struct server *s, const struct job *job, json_t *j, struct err *e)
{
	int64_t ahead = 0;
	int r;

	if (job->state != JOB_QUEUED)
		return 0;
	r = store_job_ahead(s->spec.store, job, &ahead, e);
	if (r < 0 || ahead < 0)
		return r;
	(void)json_object_set_new(json_object_get(j, "waiting"), "ahead", json_integer(ahead));
	return 0;
}

static int
job_reply(struct request *q, unsigned status, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	json_t *j;
	int r = job_load(q, &job, e);

	if (r < 0)
		return r;
	j = api_job_json(q->server, &job);
	r = ahead_set(q->server, &job, j, e);
	if (r < 0) {
		json_decref(j);
		return r;
	}
	return reply_json_take(q, status, j, e);
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
