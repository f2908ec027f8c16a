#include "list.h"

#include "base/str.h"
#include "db.h"
#include "store.h"

/*
 * Rows to examine in one call, about 5 ms. One condition has an index that gives its jobs in the order of
 * their ids; the other conditions are checked on each of those jobs.
 */
#define LOOK_MAX 5000

/* A returned job costs as much as this many examined rows: it is read completely and printed as JSON. */
#define GIVE_COST 16

static bool
states_any(const struct list_filter *f)
{
	unsigned i;

	for (i = 0; i < JOB_STATE_MAX; i++)
		if (f->states[i])
			return true;
	return false;
}

/* States that are not selected stay NULL, which matches no row in SQL. */
static sqlite3_stmt *
rows_of_states(struct store *s, const struct list_filter *f)
{
	sqlite3_stmt *st = db_stmt(s, STMT_LIST_STATES);
	int i;

	for (i = 0; i < JOB_STATE_MAX; i++)
		if (f->states[i])
			db_bind_str(st, 2 + i, job_state_to_str((enum job_state)i));
	return st;
}

static sqlite3_stmt *
rows_of(struct store *s, enum db_stmt which, const char *value)
{
	sqlite3_stmt *st = db_stmt(s, which);

	db_bind_str(st, 2, value);
	return st;
}

/*
 * Selects id, state, model, reason and owner of jobs, using the condition that probably leaves the fewest
 * rows.
 */
static sqlite3_stmt *
rows_choose(struct store *s, const struct list_filter *f)
{
	sqlite3_stmt *st;

	if (f->n_labels) {
		st = rows_of(s, STMT_LIST_LABEL, f->labels[0].name);
		db_bind_str(st, 3, f->labels[0].value);
		return st;
	}
	if (f->reason)
		return rows_of(s, STMT_LIST_REASON, f->reason);
	if (f->model)
		return rows_of(s, STMT_LIST_MODEL, f->model);
	if (f->owner && *f->owner)
		return rows_of(s, STMT_LIST_OWNER, f->owner);
	return states_any(f) ? rows_of_states(s, f) : db_stmt(s, STMT_LIST_ALL);
}

/* 1: the job has the label. */
static int
label_has(struct store *s, int64_t id, const char *name, const char *value, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_LABEL_HAS);

	db_bind_str(st, 1, name);
	db_bind_str(st, 2, value);
	db_bind_int(st, 3, id);
	return db_step(s, st, e);
}

static bool
column_is(sqlite3_stmt *st, int i, const char *want)
{
	const char *got = want ? db_column_str(st, i) : NULL;

	return !want || (got && str_eq(got, want));
}

/* Returns 1 when the row matches the filter. */
static int
row_match(struct store *s, sqlite3_stmt *st, const struct list_filter *f, struct err *e)
{
	enum job_state state;
	size_t i;
	int r = 1;

	if (!job_state_from_str(db_column_str(st, 1), &state) || (states_any(f) && !f->states[state]))
		return 0;
	if (!column_is(st, 2, f->model) || !column_is(st, 3, f->reason) || !column_is(st, 4, f->owner))
		return 0;
	for (i = 1; r == 1 && i < f->n_labels; i++)
		r = label_has(s, sqlite3_column_int64(st, 0), f->labels[i].name, f->labels[i].value, e);
	return r;
}

static int
job_give(struct store *s, int64_t id, list_fn fn, void *arg, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(s, id, &job, e);

	return r < 0 ? r : fn(&job, arg, e);
}

int
list_jobs(struct store *s, const struct list_filter *f, int64_t cursor, int limit, list_fn fn, void *arg,
	  int64_t *ret_next, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = rows_choose(s, f);
	const size_t cost = 1 + f->n_labels;
	int64_t next = cursor;
	size_t looked;
	int r, n = 0;

	db_bind_int(st, 1, cursor);
	for (looked = 0; looked < LOOK_MAX;) {
		r = db_step(s, st, e);
		if (r == 0)
			*ret_next = 0;
		if (r <= 0)
			return r;
		r = row_match(s, st, f, e);
		if (r == 1 && n++ == limit)
			break;
		next = sqlite3_column_int64(st, 0);
		looked += r == 1 ? GIVE_COST : cost;
		r = r == 1 ? job_give(s, next, fn, arg, e) : r;
		if (r < 0)
			return r;
		if (r == 1)
			break;
	}
	*ret_next = next;
	return 0;
}
