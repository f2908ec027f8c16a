/*
 * POST /v1/jobs. A job is told of when it is durable, and a commit costs an fsync: the
 * submissions of one turn of the loop wait for each other and share it.
 */
#include "api.h"

#include <inttypes.h>

int
api_job_submit(struct request *q, struct err *e)
{
	const struct server_spec *s = &q->server->spec;
	json_t *j;
	int r;

	r = json_parse(q->body.data ? q->body.data : "", q->body.len, "body", E_BAD_REQUEST, &j, e);
	if (r < 0)
		return r;
	r = spec_from_json(j, &q->spec, q->field, e);
	json_decref(j);
	if (r == 0)
		r = spec_check_roots(&q->spec, s->roots, s->n_roots, q->field, e);
	if (r < 0)
		return r;
	buf_release(&q->body);
	STAILQ_INSERT_TAIL(&q->server->submissions, q, pending);
	request_suspend(q);
	return 0;
}

static void
refuse(struct request *q, const struct err *why)
{
	q->server->spec.failed(q->server->spec.arg, why);
	reply_error(q, why);
}

static void
accepted(struct request *q)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	struct err e = ERR_INIT;
	char location[64];

	if (store_job_get(q->server->spec.store, q->id, &job, &e) < 0 ||
	    reply_json_take(q, MHD_HTTP_ACCEPTED, api_job_json(q->server, &job), &e) < 0) {
		refuse(q, &e);
		return;
	}
	(void)snprintf(location, sizeof(location), "/v1/jobs/%" PRId64, q->id);
	reply_header(q, "Location", location);
}

static int
batch_add(struct server *s, struct err *e)
{
	const int64_t now = job_now();
	struct request *q;
	int r;

	r = store_begin(s->spec.store, e);
	if (r < 0)
		return r;
	STAILQ_FOREACH(q, &s->submissions, pending) {
		struct err why = ERR_INIT;

		if (store_job_add(s->spec.store, &q->spec, now, &q->id, &why) < 0)
			refuse(q, &why);
	}
	return store_commit(s->spec.store, e);
}

void
api_submissions_commit(struct server *s)
{
	struct err e = ERR_INIT;
	struct request *q;
	int r;

	if (STAILQ_EMPTY(&s->submissions))
		return;
	r = batch_add(s, &e);
	STAILQ_FOREACH(q, &s->submissions, pending) {
		if (!q->reply && r == 0)
			accepted(q);
		else if (!q->reply)
			refuse(q, &e);
		request_resume(q);
	}
	STAILQ_INIT(&s->submissions);
	if (r < 0)
		return;
	server_publish(s);
	s->spec.submitted(s->spec.arg);
}
