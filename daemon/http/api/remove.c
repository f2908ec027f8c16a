/*
 * The routes that delete jobs and artifacts.
 *
 * A purge may delete a hundred thousand jobs. It works in steps, one in each turn of the loop, with its
 * request suspended, so that other requests are answered in between.
 */
#include "api_private.h"

#include <inttypes.h>

#include "base/str.h"

static int
remove_one(struct request *q, int (*select)(struct store *, int64_t, struct removal *, struct err *),
	   const char *what_done, struct err *e)
{
	_cleanup_(removal_release) struct removal what = REMOVAL_INIT;
	const struct api_spec *spec = &api_of(q)->spec;
	int r;

	r = api_check_owner(q, e);
	if (r == 0)
		r = select(spec->store, q->id, &what, e);
	if (r == 0)
		r = removal_run(spec->store, spec->state_dir, &what, job_now(), e);
	if (r < 0)
		return r;
	spec->removed(spec->arg, &what);
	api_changed(q, q->id, what_done, /*model=*/NULL);
	return reply_empty(q, MHD_HTTP_NO_CONTENT, e);
}

int
api_job_delete(struct request *q, struct err *e)
{
	return remove_one(q, retention_select_job, "deleted", e);
}

int
api_file_delete(struct request *q, struct err *e)
{
	return remove_one(q, retention_select_artifact, "artifact removed", e);
}

struct purge {
	STAILQ_ENTRY(purge) entry;
	struct request *q;
	struct retention keep;
	int64_t now;
	bool dry_run;
	struct removal what; /* deleted so far */
};

static const struct {
	const char *name;
	size_t offset;
} limits[] = {
	{"keep_artifacts", offsetof(struct retention, artifacts)},
	{"keep_bytes", offsetof(struct retention, bytes)},
	{"keep_seconds", offsetof(struct retention, seconds)},
	{"keep_jobs", offsetof(struct retention, jobs)},
};

static int
member_read(const char *key, const json_t *value, struct purge *p, struct err *e)
{
	int64_t limit;
	size_t i;

	if (str_eq(key, "dry_run")) {
		if (!json_is_boolean(value))
			return err_set(e, E_BAD_REQUEST, "%s must be true or false", key);
		p->dry_run = json_is_true(value);
		return 0;
	}
	for (i = 0; i < ARRAY_LEN(limits); i++) {
		if (!str_eq(key, limits[i].name))
			continue;
		if (json_to_int(value, &limit, NULL) < 0 || limit < 0)
			return err_set(e, E_BAD_REQUEST, "%s must be a whole number from 0", key);
		*(int64_t *)(void *)((char *)&p->keep + limits[i].offset) = limit;
		return 0;
	}
	return err_set(e, E_BAD_REQUEST, "unknown limit '%.64s'", key);
}

static int
purge_read(struct request *q, struct purge *p, struct err *e)
{
	_cleanup_(json_decrefp) json_t *j = NULL;
	const char *key;
	json_t *value;
	int r;

	r = json_parse(q->body.data ? q->body.data : "", q->body.len, "body", E_BAD_REQUEST, &j, e);
	if (r < 0)
		return r;
	if (json_object_size(j) == 0)
		return err_set(e, E_BAD_REQUEST,
			       "the body must be an object with at least one limit, for example "
			       "{\"keep_jobs\": 1000}");
	json_object_foreach(j, key, value) {
		r = member_read(key, value, p, e);
		if (r < 0) {
			(void)snprintf(q->field, sizeof(q->field), "%s", key);
			return r;
		}
	}
	return 0;
}

static json_t *
ids_to_json(const struct removal_ids *l)
{
	json_t *j = json_array();
	size_t i;

	for (i = 0; i < l->n; i++)
		(void)json_array_append_new(j, json_integer(l->ids[i]));
	return j;
}

static int
purge_reply(struct request *q, const struct purge *p, struct err *e)
{
	return reply_json_take(q, MHD_HTTP_OK,
			       json_pack("{s:o, s:o, s:I, s:b}", "artifacts", ids_to_json(&p->what.artifacts),
					 "jobs", ids_to_json(&p->what.jobs), "bytes",
					 (json_int_t)p->what.bytes, "dry_run", (int)p->dry_run),
			       e);
}

static void
purge_free(struct purge *p)
{
	removal_release(&p->what);
	free(p);
}

/* Returns 1 when more may follow. */
static int
purge_turn(struct purge *p, struct err *e)
{
	_cleanup_(removal_release) struct removal what = REMOVAL_INIT;
	const struct api_spec *spec = &api_of(p->q)->spec;
	int r = retention_turn(spec->store, spec->state_dir, &p->keep, p->now, &what, e);

	if (r <= 0)
		return r;
	spec->removed(spec->arg, &what); /* the job is deleted, even if the reply fails */
	r = removal_add(&p->what, &what, e);
	return r < 0 ? r : 1;
}

static void
purge_tell(const struct purge *p)
{
	char what[128];

	if (!p->what.artifacts.n && !p->what.jobs.n)
		return;
	(void)snprintf(what, sizeof(what), "purged %zu artifacts with %" PRId64 " bytes and %zu jobs",
		       p->what.artifacts.n, p->what.bytes, p->what.jobs.n);
	api_changed(p->q, /*job=*/0, what, /*model=*/NULL);
}

static void
purge_end(struct api *a, struct err *e)
{
	struct purge *p = STAILQ_FIRST(&a->purges);

	purge_tell(p);
	if (e->code == 0)
		(void)purge_reply(p->q, p, e);
	if (e->code)
		request_refuse(p->q, e);
	request_resume(p->q);
	STAILQ_REMOVE_HEAD(&a->purges, entry);
	purge_free(p);
}

void
api_purge_due(void *arg)
{
	struct api *a = arg;
	struct err e = ERR_INIT;

	if (purge_turn(STAILQ_FIRST(&a->purges), &e) <= 0)
		purge_end(a, &e);
	if (!STAILQ_EMPTY(&a->purges))
		loop_timer_set(a->spec.loop, &a->purge, 0);
}

void
api_purges_end(struct api *a)
{
	loop_timer_stop(&a->purge);
	while (!STAILQ_EMPTY(&a->purges)) {
		struct err e = ERR_INIT;

		(void)err_set(&e, E_BUSY, "the daemon is stopping; part of the purge is done");
		purge_end(a, &e);
	}
}

int
api_purge(struct request *q, struct err *e)
{
	struct api *a = api_of(q);
	struct purge *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_no_memory(e);
	p->q = q;
	p->now = job_now();
	p->keep = (struct retention)RETENTION_INIT;
	r = purge_read(q, p, e);
	request_body_release(q);
	if (r == 0 && !p->dry_run) {
		STAILQ_INSERT_TAIL(&a->purges, p, entry);
		request_suspend(q);
		loop_timer_set(a->spec.loop, &a->purge, 0);
		return 0;
	}
	if (r == 0)
		r = retention_select(a->spec.store, &p->keep, p->now, INT64_MAX, &p->what, e);
	if (r == 0)
		r = purge_reply(q, p, e);
	purge_free(p);
	return r;
}
