/*
 * POST /v1/jobs. A job is acknowledged only when it is on the disk, and each commit costs an fsync. So all
 * submissions of one turn of the loop share one commit.
 *
 * An Idempotency-Key is looked up in the same transaction that stores it. So of any number of requests with
 * one key, exactly one makes the job, even when they arrive in different turns.
 */
#include "api_private.h"

#include <inttypes.h>
#include <strings.h>

#include "preflight.h"
#include "spec/roots.h"

#define KEY_FIELD "Idempotency-Key"
#define KEY_LEN_MAX 255

static_assert(REQUEST_FIELD_LEN >= SPEC_FIELD_LEN, "a request holds the name of any field of a spec");

/* A submission that waits for the commit. */
struct submission {
	STAILQ_ENTRY(submission) entry;
	struct request *q;
	struct spec spec;
	const char *key;                 /* in MHD's memory; NULL: none */
	char sha256[SHA256_HEX_LEN + 1]; /* of the spec, when there is a key */
	int64_t replayed;                /* the job that an earlier request with the key made; 0: none */
	struct job job;                  /* once it is queued */
};

static void
submission_free(struct submission **sp)
{
	struct submission *s = *sp;

	if (!s)
		return;
	spec_release(&s->spec);
	job_release(&s->job);
	free(s);
	*sp = NULL;
}

static enum MHD_Result
key_find(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
	 size_t value_len)
{
	struct submission *s = arg;

	(void)kind;
	(void)name_len;
	(void)value_len;
	if (strcasecmp(name, KEY_FIELD) != 0)
		return MHD_YES;
	if (s->key)
		s->key = ""; /* a repeated header is refused like an empty key */
	else
		s->key = value ? value : "";
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
key_read(struct submission *s, struct err *e)
{
	struct request *q = s->q;

	(void)MHD_get_connection_values_n(q->conn, MHD_HEADER_KIND, key_find, s);
	if (!s->key || key_ok(s->key))
		return 0;
	(void)snprintf(q->field, sizeof(q->field), "%s", KEY_FIELD);
	return err_set(e, E_BAD_REQUEST,
		       KEY_FIELD " must be sent once, with 1 to %d visible characters of ASCII", KEY_LEN_MAX);
}

/* A runner with a command may be another host, whose folders the daemon does not see. */
static bool
sees_folders(const struct runners *runners)
{
	size_t i;

	for (i = 0; i < runners->n; i++)
		if (runners->rows[i].prefix[0])
			return false;
	return true;
}

/* Whether the key made a job before: then the folders were fine, and may be gone today. */
static bool
key_is_known(struct submission *s)
{
	const struct store_submission sub = {
		.spec = &s->spec, .owner = s->q->owner, .key = s->key, .sha256 = s->sha256};
	int64_t job = 0;

	return s->key && (store_key_find(api_of(s->q)->spec.store, &sub, &job, NULL) == E_KEY_REUSED || job);
}

static int
folders_check(struct submission *s, const json_t *body, struct err *e)
{
	struct request *q = s->q;
	const struct api_spec *spec = &api_of(q)->spec;
	const struct folder_roots roots = {spec->roots, spec->n_roots};
	struct err why = ERR_INIT;
	int r = 0;

	if (spec->preflight && sees_folders(spec->runners))
		r = preflight(&s->spec, body, roots, q->field, &why);
	if (r == 0)
		r = spec_check_roots(&s->spec, spec->roots, spec->n_roots, q->field, &why);
	if (r == 0 || key_is_known(s))
		return 0;
	return err_set(e, r, "%s", why.msg);
}

static int
spec_read(struct submission *s, struct err *e)
{
	struct request *q = s->q;
	json_t *j;
	int r;

	r = json_parse(q->body.data ? q->body.data : "", q->body.len, "body", E_BAD_REQUEST, &j, e);
	if (r < 0)
		return r;
	r = spec_from_json(j, &s->spec, q->field, e);
	if (r == 0 && s->key)
		r = spec_sha256(&s->spec, s->sha256, e);
	if (r == 0)
		r = folders_check(s, j, e);
	json_decref(j);
	return r;
}

int
api_job_submit(struct request *q, struct err *e)
{
	_cleanup_(submission_free) struct submission *s = calloc(1, sizeof(*s));
	struct api *a = api_of(q);
	int r;

	if (!s)
		return err_no_memory(e);
	s->q = q;
	r = key_read(s, e);
	if (r == 0)
		r = spec_read(s, e);
	if (r < 0)
		return r;
	request_body_release(q);
	request_suspend(q);
	server_wake(a->server);
	STAILQ_INSERT_TAIL(&a->submissions, s, entry);
	(void)TAKE(s);
	return 0;
}

static int
submission_add(struct api *a, struct submission *s, int64_t now, int64_t *queued, struct err *e)
{
	const struct store_submission sub = {
		.spec = &s->spec,
		.owner = s->q->owner,
		.key = s->key,
		.sha256 = s->sha256,
		.now = now,
	};
	int r = s->key ? store_key_find(a->spec.store, &sub, &s->replayed, e) : 0;

	if (r == E_KEY_REUSED)
		(void)snprintf(s->q->field, sizeof(s->q->field), "%s", KEY_FIELD);
	if (r != 0)
		return r;
	r = api_queue_check(a, *queued, e);
	if (r == 0)
		r = store_job_add(a->spec.store, &sub, &s->job, e);
	*queued += r == 0;
	return r;
}

static int
batch_add(struct api *a, struct err *e)
{
	const int64_t now = job_now();
	int64_t counts[JOB_STATE_MAX];
	struct submission *s;
	int r;

	r = store_begin(a->spec.store, e);
	if (r < 0)
		return r;
	r = store_counts(a->spec.store, counts, e);
	if (r < 0) {
		store_rollback(a->spec.store);
		return r;
	}
	STAILQ_FOREACH(s, &a->submissions, entry) {
		struct err why = ERR_INIT;

		if (submission_add(a, s, now, &counts[JOB_QUEUED], &why) < 0)
			request_refuse(s->q, &why);
	}
	return store_commit(a->spec.store, e);
}

static int
job_tell(struct api *a, struct submission *s, struct err *e)
{
	struct request *q = s->q;
	char location[64];
	int r = s->replayed ? store_job_get(a->spec.store, s->replayed, &s->job, e) : 0;

	if (r == 0)
		r = api_job_reply(q, s->replayed ? MHD_HTTP_OK : MHD_HTTP_ACCEPTED, &s->job, /*ahead=*/-1, e);
	if (r < 0)
		return r;
	(void)snprintf(location, sizeof(location), "/v1/jobs/%" PRId64, s->job.id);
	reply_header(q, "Location", location);
	if (s->replayed)
		reply_header(q, "Idempotency-Replayed", "true");
	return 0;
}

/*
 * Answers all submissions: with their job, or with the error that the commit failed with. Returns the number
 * of new jobs.
 */
static size_t
batch_tell(struct api *a, const struct err *wrong)
{
	struct submission *s;
	size_t n = 0;

	while ((s = STAILQ_FIRST(&a->submissions))) {
		struct err why = *wrong;

		STAILQ_REMOVE_HEAD(&a->submissions, entry);
		n += !why.code && s->job.id;
		if (!why.code && s->job.id)
			api_changed(s->q, s->job.id, "submitted", s->spec.model);
		if (!s->q->reply && (why.code || job_tell(a, s, &why) < 0))
			request_refuse(s->q, &why);
		request_resume(s->q);
		submission_free(&s);
	}
	return n;
}

bool
api_submissions_commit(void *arg)
{
	struct api *a = arg;
	struct err e = ERR_INIT;
	size_t n;

	CHECK_OBJ(a, API_MAGIC);
	if (STAILQ_EMPTY(&a->submissions))
		return false;
	(void)batch_add(a, &e);
	n = batch_tell(a, &e);
	if (e.code == 0) {
		live_publish(a->live);
		a->spec.submitted(a->spec.arg, n);
	} else if (store_broken(a->spec.store)) {
		a->spec.failed(a->spec.arg, &e);
	}
	return true;
}

void
api_submissions_end(struct api *a)
{
	struct err why = ERR_INIT;

	(void)err_set(&why, E_BUSY, "the daemon is stopping");
	(void)batch_tell(a, &why);
}
