#include "api_private.h"

#include <inttypes.h>

#include "base/str.h"
#include "routes.h"

struct api *
api_of(const struct request *q)
{
	struct api *a = request_app(q);

	CHECK_OBJ(a, API_MAGIC);
	return a;
}

void
api_changed(const struct request *q, int64_t job, const char *what, const char *model)
{
	const struct api_spec *spec = &api_of(q)->spec;
	char caller[REQUEST_CALLER_LEN];
	const struct api_change change = {
		.job = job, .what = what, .caller = request_caller(q, caller), .model = model};

	spec->changed(spec->arg, &change);
}

int
api_check_owner(const struct request *q, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r;

	if (q->scope == SCOPE_ADMIN)
		return 0;
	r = store_job_get(api_of(q)->spec.store, q->id, &job, e);
	if (r < 0 || str_eq(job.owner, q->owner))
		return r;
	return err_set(e, E_NOT_ALLOWED,
		       "job %" PRId64
		       " was submitted %s%s%s, and the token '%s' of scope submit may change its "
		       "own jobs only; use a token of scope admin",
		       job.id, *job.owner ? "with the token '" : "without a token", job.owner,
		       *job.owner ? "'" : "", q->owner);
}

static void
job_show(void *arg, const struct job *job, struct buf *b)
{
	struct api *a = arg;

	CHECK_OBJ(a, API_MAGIC);
	api_job_print(a, job, /*ahead=*/-1, b);
}

static void
live_failed(void *arg, const struct err *why)
{
	struct api *a = arg;

	CHECK_OBJ(a, API_MAGIC);
	a->spec.failed(a->spec.arg, why);
}

/* Fills in the callbacks of the server's and the events' spec that the API itself provides. */
static void
spec_take(struct api *a, const struct api_spec *spec)
{
	a->spec = *spec;
	a->spec.server.loop = spec->loop;
	a->spec.server.routes = (struct route_table){.rows = routes, .n = ROUTE_MAX};
	a->spec.server.app = a;
	a->spec.live.loop = spec->loop;
	a->spec.live.store = spec->store;
	a->spec.live.print = job_show;
	a->spec.live.failed = live_failed;
	a->spec.live.arg = a;
}

int
api_new(const struct api_spec *spec, struct api **ret, struct err *e)
{
	_cleanup_(api_free) struct api *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_no_memory(e);
	a->magic = API_MAGIC;
	a->started = job_now();
	a->purge = (struct loop_timer){.fn = api_purge_due, .arg = a};
	a->commit = (struct server_turn){.fn = api_submissions_commit, .arg = a};
	STAILQ_INIT(&a->submissions);
	STAILQ_INIT(&a->purges);
	spec_take(a, spec);
	r = live_new(&a->spec.live, &a->live, e);
	if (r == 0)
		r = server_new(&a->spec.server, &a->server, e);
	if (r < 0)
		return r;
	server_turn_add(a->server, &a->commit);
	*ret = TAKE(a);
	return 0;
}

void
api_free(struct api **ap)
{
	struct api *a = *ap;

	if (!a)
		return;
	CHECK_OBJ(a, API_MAGIC);
	if (a->server)
		server_end(a->server);
	if (a->live)
		live_close(a->live);
	api_purges_end(a);
	api_submissions_end(a);
	server_free(&a->server);
	live_free(&a->live);
	OBJ_FREE(*ap);
}

struct server *
api_server(struct api *a)
{
	return a->server;
}

struct live *
api_live(struct api *a)
{
	return a->live;
}

int
api_set_tokens_take(struct api *a, struct tokens *tokens, struct err *e)
{
	int r = server_set_tokens_take(a->server, tokens, e);

	if (r == 0)
		live_close(a->live);
	return r;
}

void
api_set_spec(struct api *a, const struct api_spec *spec)
{
	spec_take(a, spec);
	server_set_spec(a->server, &a->spec.server);
	live_set_spec(a->live, &a->spec.live);
}

void
api_set_stopping(struct api *a)
{
	a->stopping = true;
}

void
api_quiesce(struct api *a)
{
	api_set_stopping(a);
	server_quiesce(a->server);
	live_close(a->live);
}
