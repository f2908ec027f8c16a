#include "attempt.h"

#include <inttypes.h>
#include <math.h>

#include "base/log.h"
#include "closed.h"
#include "counters.h"
#include "hub_token.h"
#include "queue/publish.h"
#include "queue/recipe.h"
#include "queue/reserve.h"
#include "runner/resources.h"

#define ATTEMPT_MAGIC 0x61747470u

/* Minimum time between two progress events of a job. */
#define PROGRESS_MS 100

struct attempt {
	unsigned magic;
	struct dispatch *dispatch;
	struct run run;
	struct journal_use journal_use;
	char nonce[JOB_NONCE_LEN + 1];
	struct recipes known; /* what the worker was told of; empty: nothing */
	int64_t progress_at_ms;
	struct child_end end;     /* once the worker is gone, or did not start */
	struct loop_timer settle; /* retries to record the end of the attempt */
	bool told;                /* the failure to record the end was logged */
};

static void
attempt_free(struct attempt *a)
{
	loop_timer_stop(&a->settle);
	run_remove(a->dispatch->spec.runners, &a->run);
	child_free(&a->run.child);
	recipes_release(&a->known);
	OBJ_FREE(a);
}

static json_t *
number(double v, bool known)
{
	return known && isfinite(v) ? json_real(v) : json_null();
}

static json_t *
result_to_json(const Colconv__Result *res)
{
	json_t *graphs = json_array(), *warnings = json_array();
	int failed = 0;
	size_t i;

	for (i = 0; i < res->n_graphs; i++)
		(void)json_array_append_new(
			graphs, json_pack("{s:s, s:s, s:I}", "variant", res->graphs[i]->variant, "file",
					  res->graphs[i]->file, "nodes", (json_int_t)res->graphs[i]->nodes));
	for (i = 0; i < res->n_warnings; i++)
		failed |= json_array_append_new(warnings, json_string(res->warnings[i]));
	return json_pack("{s:s, s:I, s:o, s:b, s:o, s:o, s:o}", "architecture", res->architecture,
			 "parameters", (json_int_t)res->parameters, "graphs", graphs, "parity_checked",
			 (int)res->parity_checked, "max_abs", number(res->max_abs, res->parity_checked),
			 "min_cosine", number(res->min_cosine, res->parity_checked), "warnings",
			 json_whole(warnings, failed));
}

/* The names still belong to the message. NULL: memory ran out, or no stages. */
static struct job_stage *
stages_get(const struct child_end *end)
{
	struct job_stage *stages = calloc(end->n_usage, sizeof(*stages));
	size_t i;

	for (i = 0; stages && i < end->n_usage; i++)
		stages[i] = (struct job_stage){
			.name = end->usage[i]->stage,
			.seconds = isfinite(end->usage[i]->seconds) ? end->usage[i]->seconds : 0,
			.peak_anon_bytes = (int64_t)MIN(end->usage[i]->peak_anon_bytes, (uint64_t)INT64_MAX),
		};
	return stages;
}

/* Takes the files and the result of the job whose artifact the worker would make again. */
static int
artifact_reuse(const struct attempt *a, struct publication *p, json_t **ret_result, struct err *e)
{
	const struct dispatch_spec *spec = &a->dispatch->spec;
	const int64_t from = recipes_find(&a->known, p->recipe);
	_cleanup_(job_release) struct job job = {.id = 0};
	int r;

	if (!from)
		return err_set(e, E_WORKER_PROTOCOL, "the worker knows an artifact that it was not told of");
	r = artifact_share(spec->state_dir, from, a->run.job, a->run.attempt, e);
	if (r == 0)
		r = store_job_get(spec->store, from, &job, e);
	if (r == 0)
		r = json_parse(job.result, strlen(job.result), "a row of the queue", E_BAD_DATABASE,
			       ret_result, e);
	p->result = *ret_result;
	p->made_by = job.artifact.made_by ? job.artifact.made_by : from;
	return r;
}

static int
attempt_publish(struct attempt *a, const struct job_stage *stages, size_t n_stages, struct err *e)
{
	const struct dispatch_spec *spec = &a->dispatch->spec;
	const Colconv__Result *worker = a->end.result;
	struct publication p = {.stages = stages, .n_stages = n_stages, .recipe = worker->recipe};
	json_auto_t *result = worker->known ? NULL : result_to_json(worker);
	int r = 0;

	if (worker->known)
		r = artifact_reuse(a, &p, &result, e);
	else if (!result)
		r = err_no_memory(e);
	if (r < 0)
		return r;
	p.result = result;
	journal_flush(&a->dispatch->journal);
	return publish_job(spec->store, spec->state_dir, a->run.job, a->nonce, job_now(), &p, e);
}

static void
attempt_discard(const struct attempt *a)
{
	struct err lost = ERR_INIT;

	if (artifact_discard(a->dispatch->spec.state_dir, a->run.job, a->run.attempt, &lost) < 0)
		log_warning("job=%" PRId64 " %s, ignoring", a->run.job, lost.msg);
}

/* Remove the files of an attempt without a result before writing to the queue: they may fill the disk. */
static void
attempt_clear(const struct attempt *a)
{
	struct err lost = ERR_INIT;

	if (a->end.why.code == E_PARITY &&
	    artifact_keep_report(a->dispatch->spec.state_dir, a->run.job, a->run.attempt, &lost) < 0)
		log_warning("job=%" PRId64 " %s, ignoring", a->run.job, lost.msg);
	attempt_discard(a);
}

/*
 * The attempt did not begin because a resource ran out. The job is not to blame, so it gets its attempt back.
 */
static bool
is_held_up(const struct attempt *a, const struct err *why)
{
	return !a->run.child && resources_lack(why->code);
}

/* The artifact that the worker would make again is gone or damaged, or its files cannot be linked: the job must be converted. */
static bool
is_unshared(const struct attempt *a, const struct err *why)
{
	return a->end.result && a->end.result->known &&
	       (why->code == E_NOT_FOUND || why->code == E_MISMATCH || why->code == E_IO);
}

/*
 * Records the end of an attempt without an artifact. A result that could not be published stays until the
 * queue has recorded the failure.
 */
static int
attempt_fail(struct attempt *a, const struct err *why, const struct job_stage *stages, size_t n_stages,
	     struct err *e)
{
	const struct dispatch_spec *spec = &a->dispatch->spec;
	int r;

	journal_flush(&a->dispatch->journal);
	if (is_unshared(a, why))
		log_warning("job=%" PRId64 " cannot share the files of an earlier job: %s; it is converted",
			    a->run.job, why->msg);
	if ((a->dispatch->stopping && why->code != E_CANCELLED) || is_held_up(a, why) || is_unshared(a, why))
		r = job_hand_back(spec->store, a->run.job, a->nonce, job_now(), e);
	else
		r = job_fail(spec->store, a->run.job, a->nonce, job_now(), why, stages, n_stages, e);
	if (r < 0 && r != E_CONFLICT)
		return r;
	if (a->end.result)
		attempt_discard(a);
	return 0;
}

static double
seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static int
usage_keep(const struct attempt *a, struct err *e)
{
	const struct rusage *ru = &a->end.resources;
	const struct job_usage usage = {
		.seconds = a->end.seconds,
		.cpu_seconds = seconds(ru->ru_utime) + seconds(ru->ru_stime),
		.peak_rss_bytes = (int64_t)ru->ru_maxrss * 1024,
	};

	return store_usage_set(a->dispatch->spec.store, a->run.job, a->nonce, &usage, e);
}

static int
attempt_end(struct attempt *a, struct err *e)
{
	_cleanup_free_ struct job_stage *stages = stages_get(&a->end);
	size_t n_stages = stages ? a->end.n_usage : 0;
	struct err why = a->end.why;
	int r;

	if (!a->end.result)
		attempt_clear(a);
	r = usage_keep(a, e);
	if (r < 0)
		return r;
	if (a->end.result) {
		err_clear(&why);
		if (attempt_publish(a, stages, n_stages, &why) == 0) {
			log_info("job=%" PRId64 " try=%d done%s", a->run.job, a->run.attempt,
				 a->end.result->known ? ", with the files of an earlier job" : "");
			counters_attempt(a->dispatch->spec.metrics, 0, stages, n_stages);
			return 0;
		}
		if (store_broken(a->dispatch->spec.store))
			return err_set(e, why.code, "%s", why.msg);
	}
	r = attempt_fail(a, &why, stages, n_stages, e);
	if (r < 0)
		return r;
	log_info("job=%" PRId64 " try=%d ended: %s: %s", a->run.job, a->run.attempt, err_name(why.code),
		 why.msg);
	if (is_held_up(a, &why))
		dispatch_lack(a->dispatch, &why);
	else
		counters_attempt(a->dispatch->spec.metrics, why.code, stages, n_stages);
	return 0;
}

/* The queue could not record the end of an attempt: log it once, delete the reserve if the disk is full, and retry later. */
static void
settle_again(struct attempt *a, struct err *e)
{
	struct dispatch *d = a->dispatch;
	const bool room = e->code == E_NO_SPACE && reserve_give(d->spec.state_dir);

	(void)err_context(e, "job=%" PRId64 " try=%d", a->run.job, a->run.attempt);
	if (!a->told || store_broken(d->spec.store))
		d->spec.failed(d->spec.arg, e);
	a->told = true;
	loop_timer_set(d->spec.loop, &a->settle, room ? 0 : AGAIN_MS);
}

/* Record the end of an attempt, or retry later. The slot stays taken until it is recorded. */
static void
settle_due(void *arg)
{
	struct attempt *a = arg;
	struct dispatch *d = a->dispatch;
	struct err e = ERR_INIT;
	int r;

	CHECK_OBJ(a, ATTEMPT_MAGIC);
	r = attempt_end(a, &e);
	d->spec.ended(d->spec.arg);
	if (r < 0) {
		settle_again(a, &e);
		return;
	}
	attempt_free(a);
	live_publish(d->live);
	dispatch_attempt_over(d);
}

static void
on_stage(void *arg, const Colconv__Stage *stage)
{
	struct attempt *a = arg;

	CHECK_OBJ(a, ATTEMPT_MAGIC);
	run_set_stage(&a->run, stage);
	log_info("job=%" PRId64 " try=%d stage=%s", a->run.job, a->run.attempt, a->run.stage);
	journal_stage(&a->dispatch->journal, &a->journal_use, a->run.stage);
}

static void
on_progress(void *arg, const Colconv__Progress *progress)
{
	struct attempt *a = arg;
	json_t *j;

	CHECK_OBJ(a, ATTEMPT_MAGIC);
	run_set_progress(&a->run, progress);
	if (progress->done != progress->total && loop_now_ms() - a->progress_at_ms < PROGRESS_MS)
		return; /* always send the progress that completes a stage */
	a->progress_at_ms = loop_now_ms();
	j = run_progress_to_json(&a->run);
	(void)json_object_set_new(j, "stage", json_string(a->run.stage));
	journal_flush_stage(&a->dispatch->journal,
			    &a->journal_use); /* clients must see a stage before its progress */
	live_progress_take(a->dispatch->live, a->run.job, j);
}

static void
on_log(void *arg, const char *line)
{
	struct attempt *a = arg;

	CHECK_OBJ(a, ATTEMPT_MAGIC);
	log_info("worker[%d] job=%" PRId64 ": %s", (int)child_pid(a->run.child), a->run.job, line);
	journal_log(&a->dispatch->journal, &a->journal_use, line);
}

static void
on_ended(void *arg, const struct child_end *end)
{
	struct attempt *a = arg;

	CHECK_OBJ(a, ATTEMPT_MAGIC);
	a->end = *end;
	settle_due(a);
}

static const struct child_ops ops = {
	.stage = on_stage,
	.progress = on_progress,
	.log = on_log,
	.ended = on_ended,
};

static int
worker_start(struct attempt *a, const struct job *job, struct err *e)
{
	const struct dispatch_spec *d = &a->dispatch->spec;
	_cleanup_(spec_release) struct spec spec = SPEC_INIT;
	_cleanup_(buf_release) struct buf text = BUF_INIT;
	_cleanup_(hub_token_free) char *hub_token = NULL;
	_cleanup_(closed_release) struct closed closed = {.n = 0};
	_cleanup_free_ char *out_dir = NULL;
	Colconv__Job order = COLCONV__JOB__INIT;
	struct child_spec cs = {
		.prefix = a->run.runner->prefix,
		.program = d->worker,
		.env = a->run.runner->env,
		.cgroup = &d->runners->cgroup,
		.memory_max = d->worker_memory_max,
		.start_ms = d->start_ms,
		.silence_ms = d->silence_ms,
		.timeout_ms = d->timeout_ms,
		.grace_ms = d->grace_ms,
	};
	int r;

	/* An older version may have stored the spec: print it again so that it has all fields of this version. */
	r = spec_from_text(job->spec, "a row of the queue", E_BAD_DATABASE, &spec, e);
	if (r == 0) {
		spec_print(&spec, &text);
		r = buf_failed(&text, e);
	}
	if (r == 0)
		r = hub_token_for(&spec, &hub_token, e);
	if (r == 0)
		r = closed_find(d->state_dir, d->tokens, &closed, e);
	if (r == 0 && spec.cache && job->attempt == 1) /* what failed once is converted the second time */
		r = recipes_list(d->store, spec.model, &a->known, e);
	if (r < 0)
		return r;
	r = artifact_stage(d->state_dir, job->id, job->attempt, &out_dir, e);
	if (r < 0)
		return r;
	if (spec.timeout)
		cs.timeout_ms = MIN(cs.timeout_ms, spec.timeout * 1000);
	order.nonce = a->nonce;
	order.spec = text.data;
	order.out_dir = out_dir;
	order.roots = (char **)(uintptr_t)d->roots;
	order.n_roots = d->n_roots;
	order.closed = closed.path;
	order.n_closed = closed.n;
	order.known = a->known.recipe;
	order.n_known = a->known.n;
	if (hub_token)
		order.hub_token = hub_token;
	cs.job = &order;
	return child_new(d->loop, &cs, &ops, a, &a->run.child, e);
}

void
attempt_start(struct dispatch *d, struct runner *runner, const struct job *job)
{
	struct attempt *a = calloc(1, sizeof(*a));
	struct err e = ERR_INIT;

	if (!a) { /* the queue says that the job is running, but no attempt exists that could end it */
		(void)err_no_memory(&e);
		(void)job_hand_back(d->spec.store, job->id, job->nonce, job_now(), NULL);
		dispatch_lack(d, &e);
		return;
	}
	*a = (struct attempt){
		.magic = ATTEMPT_MAGIC,
		.dispatch = d,
		.run = {.job = job->id, .attempt = job->attempt},
		.settle = {.fn = settle_due, .arg = a},
	};
	memcpy(a->nonce, job->nonce, sizeof(a->nonce));
	run_add(d->spec.runners, &a->run, runner);
	counters_claim(d->spec.metrics, job);
	log_info("job=%" PRId64 " try=%d running on '%s'", job->id, job->attempt, runner->name);
	journal_begin(&d->journal, &a->journal_use, job->id, job->attempt);
	live_publish(d->live);
	if (worker_start(a, job, &a->end.why) < 0)
		settle_due(a);
}

void
attempt_abandon(struct run *run)
{
	struct attempt *a = (struct attempt *)(void *)((char *)run - offsetof(struct attempt, run));

	CHECK_OBJ(a, ATTEMPT_MAGIC);
	attempt_free(a);
}
