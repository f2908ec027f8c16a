#include "job.h"

#include <inttypes.h>
#include <sys/random.h>
#include <time.h>

#include "base/str.h"
#include "db.h"
#include "event.h"
#include "store.h"

#define PAUSE_FIRST_MS 2000
#define PAUSE_FACTOR 4 /* each pause is this many times the one before */

static const struct {
	const char *name;
	bool ended;
} states[] = {
#define STATE(sym, name, ended) {name, ended},
#include "spec/states.def"
};

static const char *const events[] = {
#define EVENT(sym, name) name,
#include "spec/states.def"
};

static const struct {
	enum job_state from;
	enum job_event event;
	enum job_state to;
} table[] = {
#define FSM(from, event, to) {JOB_##from, JOB_EVENT_##event, JOB_##to},
#include "spec/states.def"
};

const char *
job_state_to_str(enum job_state state)
{
	return states[state].name;
}

bool
job_state_from_str(const char *name, enum job_state *ret)
{
	unsigned i;

	for (i = 0; i < JOB_STATE_MAX; i++)
		if (str_eq(states[i].name, name)) {
			*ret = i;
			return true;
		}
	return false;
}

bool
job_state_ended(enum job_state state)
{
	return states[state].ended;
}

bool
job_next(enum job_state from, enum job_event ev, enum job_state *ret)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].from == from && table[i].event == ev) {
			*ret = table[i].to;
			return true;
		}
	return false;
}

int64_t
job_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
job_release(struct job *job)
{
	size_t i;

	for (i = 0; i < job->n_stages; i++)
		free(job->stages[i].name);
	free(job->stages);
	free(job->owner);
	free(job->runner);
	free(job->reason);
	free(job->message);
	free(job->spec);
	free(job->result);
	*job = (struct job){.id = 0};
}

static int
nonce_make(char ret[JOB_NONCE_LEN + 1], struct err *e)
{
	unsigned char raw[JOB_NONCE_LEN / 2];
	size_t i;

	/* Can't be short: once the kernel has its seed, up to 256 bytes are always returned whole. */
	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return err_set(e, E_INTERNAL, "the kernel gives no random bytes");
	for (i = 0; i < sizeof(raw); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

/* How many attempts the spec allows. Rows written by older versions do not have the field. */
static int
attempts(const struct job *job)
{
	_cleanup_(json_decrefp) json_t *spec = json_loads(job->spec, 0, NULL);
	const json_t *n = json_object_get(spec, "attempts");

	return n ? (int)json_integer_value(n) : (int)spec_fields[SPEC_FIELD_ATTEMPTS].initial;
}

/* The pause before the next attempt. It depends on the attempts that are left, because attempts_max grows with restarts. */
static int64_t
pause_ms(const struct job *job)
{
	int failures = attempts(job) - (job->attempts_max - job->attempt);
	int64_t ms = PAUSE_FIRST_MS;

	while (--failures > 0 && ms < JOB_PAUSE_MAX_MS)
		ms *= PAUSE_FACTOR;
	return MIN(ms, JOB_PAUSE_MAX_MS);
}

static int
attempts_max(const struct job *old, enum job_event ev)
{
	if (ev == JOB_EVENT_AGAIN)
		return old->attempt + attempts(old);
	return old->attempts_max + (ev == JOB_EVENT_REQUEUE);
}

/* The only UPDATE of a state. It matches id, old state and nonce; all new values follow from the event. */
static int
job_update(struct store *s, const struct job *old, enum job_event ev, enum job_state to,
	   const struct job_change *c, struct err *e)
{
	char nonce[JOB_NONCE_LEN + 1];
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_CHANGE);
	const char *reason = NULL, *message = NULL;
	int changes, r;

	r = nonce_make(nonce, e);
	if (r < 0)
		return r;
	if (ev == JOB_EVENT_FAIL || ev == JOB_EVENT_RETRY) {
		reason = err_name(c->code);
		message = c->message;
	} else if (ev == JOB_EVENT_CANCEL) {
		reason = err_name(E_CANCELLED);
		message = err_meaning(E_CANCELLED);
	}
	db_bind_int(st, 1, old->id);
	db_bind_str(st, 2, states[old->state].name);
	db_bind_str(st, 3, c->nonce);
	db_bind_str(st, 4, states[to].name);
	db_bind_int(st, 5, old->attempt + (ev == JOB_EVENT_CLAIM));
	db_bind_int(st, 6, attempts_max(old, ev));
	db_bind_str(st, 7, to == JOB_RUNNING ? nonce : NULL);
	db_bind_int(st, 8, to == JOB_RUNNING ? c->now : to == JOB_QUEUED ? 0 : old->started);
	db_bind_int(st, 9, states[to].ended ? c->now : 0);
	db_bind_int(st, 10, ev == JOB_EVENT_RETRY ? c->now + pause_ms(old) : 0);
	db_bind_str(st, 11, reason);
	db_bind_str(st, 12, message);
	db_bind_int(st, 13, ev != JOB_EVENT_AGAIN); /* forget an earlier cancel request */
	r = db_run(s, st, &changes, e);
	if (r == 0 && changes != 1)
		return err_set(e, E_CONFLICT, "this is not the attempt of job %" PRId64 " that runs",
			       old->id);
	return r;
}

/* Add the event that streams and histories show, from the updated row. */
static int
state_tell(struct store *s, int64_t id, int64_t now, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(s, id, &job, e);

	return r < 0 ? r : event_add_state(s, id, now, job.state, job.attempt, job.reason, job.message, e);
}

static int
apply(struct store *s, int64_t id, enum job_event ev, const struct job_change *c, struct err *e)
{
	_cleanup_(job_release) struct job old = {.id = 0};
	enum job_state to;
	int r;

	r = store_job_get(s, id, &old, e);
	if (r < 0)
		return r;
	if (!job_next(old.state, ev, &to))
		return err_set(e, E_CONFLICT, "job %" PRId64 " is %s: cannot %s it", id,
			       states[old.state].name, events[ev]);
	if (ev == JOB_EVENT_FINISH && !old.result)
		return err_set(e, E_CONFLICT, "job %" PRId64 " has no result yet", id);
	r = job_update(s, &old, ev, to, c, e);
	return r < 0 ? r : state_tell(s, id, c->now, e);
}

int
job_apply(struct store *s, int64_t id, enum job_event ev, const struct job_change *c, struct err *e)
{
	int r = db_enter(s, e);

	return r < 0 ? r : db_leave(s, apply(s, id, ev, c, e), e);
}

/* 1 with the id, 0 when nothing is due. */
static int
due_find(struct store *s, int64_t now, int64_t *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_DUE);
	int r;

	db_bind_int(st, 1, now);
	db_bind_int(st, 2, now + JOB_PAUSE_MAX_MS);
	r = db_step(s, st, e);
	if (r == 1)
		*ret = sqlite3_column_int64(st, 0);
	return r;
}

int
job_claim(struct store *s, int64_t now, struct job *ret, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	const struct job_change c = {.now = now};
	int64_t id = 0;
	int r;

	r = due_find(s, now, &id, e);
	if (r <= 0)
		return r;
	r = db_enter(s, e);
	if (r < 0)
		return r;
	r = job_apply(s, id, JOB_EVENT_CLAIM, &c, e);
	if (r == 0)
		r = store_job_get(s, id, &job, e);
	r = db_leave(s, r, e);
	if (r < 0)
		return r;
	*ret = job;
	job = (struct job){.id = 0};
	return 1;
}

static enum job_event
failure_event(const struct job *job, int code)
{
	if (job->cancel_requested)
		return JOB_EVENT_CANCEL;
	return err_retryable(code) && job->attempt < job->attempts_max ? JOB_EVENT_RETRY : JOB_EVENT_FAIL;
}

static int
fail(struct store *s, int64_t id, const struct job_change *c, const struct job_stage *stages, size_t n_stages,
     struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r;

	r = store_job_get(s, id, &job, e);
	if (r == 0)
		r = job_apply(s, id, failure_event(&job, c->code), c, e);
	if (r == 0)
		r = store_stages_set(s, id, job.attempt, stages, n_stages, e);
	return r;
}

int
job_fail(struct store *s, int64_t id, const char *nonce, int64_t now, const struct err *why,
	 const struct job_stage *stages, size_t n_stages, struct err *e)
{
	const struct job_change c = {.now = now, .nonce = nonce, .code = why->code, .message = why->msg};
	int r = db_enter(s, e);

	return r < 0 ? r : db_leave(s, fail(s, id, &c, stages, n_stages, e), e);
}

static int
hand_back(struct store *s, int64_t id, const struct job_change *c, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(s, id, &job, e);

	return r < 0 ? r
		     : job_apply(s, id, job.cancel_requested ? JOB_EVENT_CANCEL : JOB_EVENT_REQUEUE, c, e);
}

int
job_hand_back(struct store *s, int64_t id, const char *nonce, int64_t now, struct err *e)
{
	const struct job_change c = {.now = now, .nonce = nonce};
	int r = db_enter(s, e);

	return r < 0 ? r : db_leave(s, hand_back(s, id, &c, e), e);
}

int
job_cancel(struct store *s, int64_t id, int64_t now, enum job_state *ret, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	const struct job_change c = {.now = now};
	int r;

	r = store_job_get(s, id, &job, e);
	if (r < 0)
		return r;
	if (job.state == JOB_RUNNING)
		r = db_run_id(s, STMT_JOB_CANCEL, id, e);
	else
		r = job_apply(s, id, JOB_EVENT_CANCEL, &c, e);
	if (r == 0)
		*ret = job.state == JOB_RUNNING ? JOB_RUNNING : JOB_CANCELLED;
	return r;
}

int
job_retry(struct store *s, int64_t id, int64_t now, struct err *e)
{
	const struct job_change c = {.now = now};

	return job_apply(s, id, JOB_EVENT_AGAIN, &c, e);
}
