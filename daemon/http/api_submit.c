/*
 * POST /v1/jobs. A job is told of when it is durable, and a commit costs an fsync: the
 * submissions of one turn of the loop wait for each other and share it.
 *
 * An Idempotency-Key is looked for in the transaction that would use it, so of any number of
 * requests with the same one the first makes the job, in whatever batch they come.
 */
#include "api.h"

#include <inttypes.h>

#define KEY_FIELD "Idempotency-Key"
#define KEY_LEN_MAX 255

static enum MHD_Result
key_find(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
	 size_t value_len)
{
	struct request *q = arg;

	(void)kind;
	(void)name_len;
	(void)value_len;
	if (strcasecmp(name, KEY_FIELD) != 0)
		return MHD_YES;
	if (q->key)
		q->key = ""; /* there are two */
	else
		q->key = value ? value : "";
	return MHD_YES;
}

static bool
key_ok(const char *key)
{
	size_t n;

	for (n = 0; key[n]; n++)
		if (key[n] <= ' ' || key[n] > '~' || n == KEY_LEN_MAX)
			return false;
	return n > 0;
}

static int
key_read(struct request *q, struct err *e)
{
	(void)MHD_get_connection_values_n(q->conn, MHD_HEADER_KIND, key_find, q);
	if (!q->key || key_ok(q->key))
		return 0;
	(void)snprintf(q->field, sizeof(q->field), "%s", KEY_FIELD);
	return err_set(e, E_BAD_REQUEST,
		       KEY_FIELD " must be there once, with from 1 to %d visible characters of ASCII",
		       KEY_LEN_MAX);
}

static int
spec_read(struct request *q, struct err *e)
{
	const struct server_spec *s = &q->server->spec;
	json_t *j;
	int r;

	r = json_parse(q->body.data ? q->body.data : "", q->body.len, "body", E_BAD_REQUEST, &j, e);
	if (r < 0)
		return r;
	r = spec_from_json(j, &q->spec, q->field, e);
	json_decref(j);
	return r < 0 ? r : spec_check_roots(&q->spec, s->roots, s->n_roots, q->field, e);
}

int
api_job_submit(struct request *q, struct err *e)
{
	int r = key_read(q, e);

	if (r == 0)
		r = spec_read(q, e);
	if (r == 0 && q->key)
		r = spec_sha256(&q->spec, q->sha256, e);
	if (r < 0)
		return r;
	buf_release(&q->body);
	STAILQ_INSERT_TAIL(&q->server->submissions, q, pending);
	request_suspend(q);
	return 0;
}

static int
submission_add(struct request *q, int64_t now, int64_t *queued, struct err *e)
{
	const struct server_spec *s = &q->server->spec;
	const struct store_submission sub = {
		.spec = &q->spec,
		.owner = q->owner,
		.key = q->key,
		.sha256 = q->sha256,
		.now = now,
	};
	int r = q->key ? store_key_find(s->store, &sub, &q->id, e) : 0;

	if (r == E_KEY_REUSED)
		(void)snprintf(q->field, sizeof(q->field), "%s", KEY_FIELD);
	if (r != 0)
		return r;
	r = api_queue_check(q->server, *queued, e);
	if (r == 0)
		r = store_job_add(s->store, &sub, &q->job, e);
	*queued += r == 0;
	return r;
}

static int
batch_add(struct server *s, struct err *e)
{
	const int64_t now = job_now();
	int64_t counts[JOB_STATE_MAX];
	struct request *q;
	int r;

	r = store_begin(s->spec.store, e);
	if (r < 0)
		return r;
	r = store_counts(s->spec.store, counts, e);
	if (r < 0) {
		store_rollback(s->spec.store);
		return r;
	}
	STAILQ_FOREACH(q, &s->submissions, pending) {
		struct err why = ERR_INIT;

		if (submission_add(q, now, &counts[JOB_QUEUED], &why) < 0)
			request_refuse(q, &why);
	}
	return store_commit(s->spec.store, e);
}

static int
job_tell(struct request *q, struct err *e)
{
	const bool replayed = q->job.id == 0;
	char location[64];
	int r = replayed ? store_job_get(q->server->spec.store, q->id, &q->job, e) : 0;

	if (r == 0)
		r = api_job_reply(q, replayed ? MHD_HTTP_OK : MHD_HTTP_ACCEPTED, &q->job, /*ahead=*/-1, e);
	if (r < 0)
		return r;
	q->server->spec.metrics->submissions += !replayed;
	(void)snprintf(location, sizeof(location), "/v1/jobs/%" PRId64, q->job.id);
	reply_header(q, "Location", location);
	if (replayed)
		reply_header(q, "Idempotency-Replayed", "true");
	return 0;
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
		struct err why = e;

		if (!q->reply && (r < 0 || job_tell(q, &why) < 0))
			request_refuse(q, &why);
		request_resume(q);
	}
	STAILQ_INIT(&s->submissions);
	if (r < 0)
		return;
	server_publish(s);
	s->spec.submitted(s->spec.arg);
}

void
api_submissions_end(struct server *s)
{
	struct err why = ERR_INIT;
	struct request *q;

	(void)err_set(&why, E_BUSY, "the daemon stops");
	STAILQ_FOREACH(q, &s->submissions, pending) {
		request_refuse(q, &why);
		request_resume(q);
	}
	STAILQ_INIT(&s->submissions);
}
