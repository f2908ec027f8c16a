#include "retention.h"

#include <inttypes.h>

#include "db.h"
#include "reserve.h"

#define TURN_MAX 64

void
removal_release(struct removal *r)
{
	free(r->artifacts.ids);
	free(r->jobs.ids);
	*r = (struct removal)REMOVAL_INIT;
}

static int
ids_add(struct removal_ids *l, int64_t id, struct err *e)
{
	int64_t *ids = l->ids;

	/* n is a power of two: the array is full */
	if ((l->n & (l->n - 1)) == 0)
		ids = reallocarray(ids, l->n ? l->n * 2 : 1, sizeof(*ids));
	if (!ids)
		return err_no_memory(e);
	l->ids = ids;
	ids[l->n++] = id;
	return 0;
}

int
removal_add(struct removal *r, const struct removal *more, struct err *e)
{
	size_t i;
	int k = 0;

	for (i = 0; k == 0 && i < more->artifacts.n; i++)
		k = ids_add(&r->artifacts, more->artifacts.ids[i], e);
	for (i = 0; k == 0 && i < more->jobs.n; i++)
		k = ids_add(&r->jobs, more->jobs.ids[i], e);
	r->bytes += more->bytes;
	return k;
}

static bool
ids_have(const struct removal_ids *l, int64_t id)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->ids[i] == id)
			return true;
	return false;
}

/* Adds an artifact. Its bytes count only if no artifact that stays has links to its files. */
static int
artifact_add(struct store *s, struct removal *r, int64_t id, int64_t bytes, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_SHARERS);
	bool stays = false;
	int k;

	db_bind_int(st, 1, id);
	while ((k = db_step(s, st, e)) == 1)
		stays |= !ids_have(&r->artifacts, sqlite3_column_int64(st, 0));
	if (k < 0)
		return k;
	if (!stays)
		r->bytes += bytes;
	return ids_add(&r->artifacts, id, e);
}

static int
by_id(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int
store_stored(struct store *s, struct stored *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_STORED);
	int r = db_step(s, st, e);

	if (r < 0)
		return r;
	assert(r == 1);
	ret->artifacts = sqlite3_column_int64(st, 0);
	ret->bytes = sqlite3_column_int64(st, 1);
	return 0;
}

int
store_artifact_list(struct store *s, int64_t before, int limit, store_artifact_fn fn, void *arg,
		    struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_STORED_LIST);
	int r;

	db_bind_int(st, 1, before);
	db_bind_int(st, 2, limit);
	while ((r = db_step(s, st, e)) == 1) {
		const struct stored_artifact a = {
			.job = sqlite3_column_int64(st, 0),
			.model = db_column_str(st, 1),
			.published = sqlite3_column_int64(st, 2),
			.files = sqlite3_column_int64(st, 3),
			.bytes = sqlite3_column_int64(st, 4),
		};

		r = fn(&a, arg, e);
		if (r < 0)
			return r;
	}
	return r;
}

/* Whether the oldest of the remaining artifacts exceeds a limit. */
static bool
beyond(const struct retention *keep, const struct stored *left, int64_t published, int64_t now)
{
	if (keep->artifacts >= 0 && left->artifacts > keep->artifacts)
		return true;
	if (keep->bytes >= 0 && left->bytes > keep->bytes && (left->artifacts > 1 || keep->bytes == 0))
		return true;
	return keep->seconds >= 0 && (now - published) / 1000 >= keep->seconds;
}

static int
artifacts_select(struct store *s, const struct retention *keep, int64_t now, int64_t max, struct removal *ret,
		 struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_STORED_OLDEST);
	struct stored left;
	int64_t before;
	int r;

	r = store_stored(s, &left, e);
	if (r < 0)
		return r;
	db_bind_int(st, 1, max);
	while ((r = db_step(s, st, e)) == 1 && beyond(keep, &left, sqlite3_column_int64(st, 1), now)) {
		before = ret->bytes;
		r = artifact_add(s, ret, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 2), e);
		if (r < 0)
			return r;
		left.artifacts--;
		left.bytes -= ret->bytes - before;
	}
	return MIN(r, 0);
}

/* Counts the ended jobs above the limit. */
static int
jobs_excess(struct store *s, int64_t keep, int64_t *ret, struct err *e)
{
	int64_t counts[JOB_STATE_MAX], n = 0;
	int state, r;

	r = store_counts(s, counts, e);
	if (r < 0)
		return r;
	for (state = 0; state < JOB_STATE_MAX; state++)
		if (job_state_ended((enum job_state)state))
			n += counts[state];
	*ret = MAX(n - keep, 0);
	return 0;
}

static int
jobs_select(struct store *s, const struct retention *keep, int64_t max, struct removal *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_ENDED_OLDEST);
	const size_t n_before = ret->artifacts.n;
	int64_t excess, id;
	int r;

	if (keep->jobs < 0)
		return 0;
	r = jobs_excess(s, keep->jobs, &excess, e);
	if (r < 0 || excess == 0)
		return r;
	if (n_before)
		qsort(ret->artifacts.ids, n_before, sizeof(id), by_id);
	db_bind_int(st, 1, MIN(excess, max));
	while ((r = db_step(s, st, e)) == 1) {
		id = sqlite3_column_int64(st, 0);
		r = ids_add(&ret->jobs, id, e);
		if (r == 0 && sqlite3_column_int64(st, 1) > 0 &&
		    !(n_before && bsearch(&id, ret->artifacts.ids, n_before, sizeof(id), by_id)))
			r = artifact_add(s, ret, id, sqlite3_column_int64(st, 2), e);
		if (r < 0)
			return r;
	}
	return r;
}

int
retention_select(struct store *s, const struct retention *keep, int64_t now, int64_t max, struct removal *ret,
		 struct err *e)
{
	int r = artifacts_select(s, keep, now, max, ret, e);

	return r < 0 ? r : jobs_select(s, keep, max, ret, e);
}

static bool
is_stored(const struct job *job)
{
	return job->artifact.files > 0 && !job->artifact.removed;
}

int
retention_select_artifact(struct store *s, int64_t id, struct removal *ret, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(s, id, &job, e);

	if (r < 0)
		return r;
	if (job.artifact.files == 0)
		return err_set(e, E_CONFLICT, "job %" PRId64 " is %s: it has no artifact", id,
			       job_state_to_str(job.state));
	return is_stored(&job) ? artifact_add(s, ret, id, job.artifact.bytes, e) : 0;
}

int
retention_select_job(struct store *s, int64_t id, struct removal *ret, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(s, id, &job, e);

	if (r < 0)
		return r;
	if (!job_state_ended(job.state))
		return err_set(e, E_CONFLICT, "job %" PRId64 " is %s: cancel it first", id,
			       job_state_to_str(job.state));
	r = ids_add(&ret->jobs, id, e);
	return r == 0 && is_stored(&job) ? artifact_add(s, ret, id, job.artifact.bytes, e) : r;
}

static int
artifact_mark(struct store *s, int64_t id, int64_t now, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_ARTIFACT_REMOVED);

	db_bind_int(st, 1, id);
	db_bind_int(st, 2, now);
	return db_run(s, st, NULL, e);
}

/* Step 1. */
static int
rows_mark(struct store *s, const struct removal_ids *l, int64_t now, struct err *e)
{
	size_t i;
	int r;

	r = db_enter(s, e);
	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < l->n; i++) {
		r = artifact_mark(s, l->ids[i], now, e);
		if (r == 0)
			r = db_run_id(s, STMT_FILE_CLEAR, l->ids[i], e);
	}
	return db_leave(s, r, e);
}

/* Step 2. A job to be removed may have been marked before, by a removal that failed in its second step. */
static int
files_remove(const char *state_dir, const struct removal *what, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < what->artifacts.n; i++)
		r = artifact_trash(state_dir, what->artifacts.ids[i], e);
	for (i = 0; r == 0 && i < what->jobs.n; i++) {
		r = artifact_trash(state_dir, what->jobs.ids[i], e);
		if (r == 0)
			r = artifact_remove_report(state_dir, what->jobs.ids[i], e);
	}
	return r < 0 ? r : artifact_sync(state_dir, e);
}

/* Step 3. */
static int
jobs_forget(struct store *s, const struct removal_ids *l, struct err *e)
{
	size_t i;
	int r;

	r = db_enter(s, e);
	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < l->n; i++)
		r = store_job_remove(s, l->ids[i], e);
	return db_leave(s, r, e);
}

static int
removal_steps(struct store *s, const char *state_dir, const struct removal *what, int64_t now, struct err *e)
{
	int r = 0;

	assert(!s->batch); /* each step must be durable before the next one begins */
	if (what->artifacts.n)
		r = rows_mark(s, &what->artifacts, now, e);
	if (r == 0)
		r = files_remove(state_dir, what, e);
	if (r == 0 && what->jobs.n)
		r = jobs_forget(s, &what->jobs, e);
	return r;
}

int
removal_run(struct store *s, const char *state_dir, const struct removal *what, int64_t now, struct err *e)
{
	struct err why = ERR_INIT;
	int r = removal_steps(s, state_dir, what, now, &why);

	if (r == E_NO_SPACE && !store_broken(s) && reserve_give(state_dir)) {
		err_clear(&why);
		r = removal_steps(s, state_dir, what, now, &why);
	}
	return r < 0 ? err_set(e, r, "%s", why.msg) : 0;
}

int
retention_turn(struct store *s, const char *state_dir, const struct retention *keep, int64_t now,
	       struct removal *ret, struct err *e)
{
	int r = retention_select(s, keep, now, TURN_MAX, ret, e);

	if (r < 0 || ret->artifacts.n + ret->jobs.n == 0)
		return r;
	r = removal_run(s, state_dir, ret, now, e);
	return r < 0 ? r : 1;
}
