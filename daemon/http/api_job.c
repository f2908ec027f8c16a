/* The routes of a job and of the list of jobs; what submits one is in api_submit.c. */
#include "api.h"

#include "base/str.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 1000

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

/* What was asked of a list. */
struct query {
	struct request *q;
	bool has_state;
	enum job_state state;
	uint64_t limit;
	uint64_t before;
	struct err e;
};

static enum MHD_Result
query_add(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct query *y = arg;
	const char *v = value ? value : "";

	(void)kind;
	if (str_eq(key, "state")) {
		y->has_state = job_state_from_str(v, &y->state);
		if (!y->has_state)
			(void)err_set(&y->e, E_BAD_REQUEST, "'%.64s' is no state of a job", v);
	} else if (str_eq(key, "limit")) {
		(void)str_to_u64(v, 1, LIMIT_MAX, key, &y->limit, &y->e);
	} else if (str_eq(key, "before")) {
		(void)str_to_u64(v, 1, INT64_MAX, key, &y->before, &y->e);
	} else {
		(void)err_set(&y->e, E_BAD_REQUEST, "there is no parameter '%.64s'", key);
	}
	if (y->e.code == 0)
		return MHD_YES;
	(void)snprintf(y->q->field, sizeof(y->q->field), "%s", key);
	return MHD_NO; /* ends here */
}

/* A page: one job more is asked for than is shown, to know whether another page follows. */
struct page {
	const struct server *s;
	json_t *jobs;
	size_t limit;
	int64_t last;
	bool more;
};

static int
page_add(const struct job *job, void *arg, struct err *e)
{
	struct page *p = arg;

	if (json_array_size(p->jobs) == p->limit) {
		p->more = true;
		return 0;
	}
	p->last = job->id;
	if (json_array_append_new(p->jobs, api_job_json(p->s, job)) < 0)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	return 0;
}

int
api_job_list(struct request *q, struct err *e)
{
	struct query y = {.q = q, .limit = LIMIT_DEFAULT};
	struct page p = {.s = q->server};
	int r;

	(void)MHD_get_connection_values(q->conn, MHD_GET_ARGUMENT_KIND, query_add, &y);
	if (y.e.code)
		return err_set(e, E_BAD_REQUEST, "%s", y.e.msg);
	p.limit = (size_t)y.limit;
	p.jobs = json_array();
	r = store_job_list(q->server->spec.store, y.has_state ? &y.state : NULL, (int64_t)y.before, (int)y.limit + 1,
			   page_add, &p, e);
	if (r < 0) {
		json_decref(p.jobs);
		return r;
	}
	return reply_json_take(q, MHD_HTTP_OK,
			       json_pack("{s:o, s:o}", "jobs", p.jobs, "next", p.more ? json_integer(p.last) : json_null()),
			       e);
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
	int r = job_load(q, &job, e);

	return r < 0 ? r : reply_json_take(q, status, api_job_json(q->server, &job), e);
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
