#include "store.h"

#include <errno.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"
#include "db.h"
#include "event.h"
#include "lock.h"

static int
place_note(struct store *s, struct err *e)
{
	struct stat st;

	if (stat(s->path, &st) < 0)
		return err_errno(e, E_IO, errno, "cannot stat '%s'", s->path);
	s->device = st.st_dev;
	s->inode = st.st_ino;
	return 0;
}

/* Refuse new jobs when the database file was moved or replaced: they would be lost. */
static int
place_check(struct store *s, struct err *e)
{
	struct stat st;

	if (stat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode)
		return 0;
	s->broken = E_IO;
	return err_set(
		e, E_IO,
		"the queue '%s' was moved or removed while the daemon ran: stop the daemon, put its state "
		"folder back, start it again",
		s->path);
}

int
store_open(const char *state_dir, struct store **ret, struct err *e)
{
	_cleanup_(store_close) struct store *s = calloc(1, sizeof(*s));
	bool unclean;
	int r;

	if (!s)
		return err_no_memory(e);
	s->lock_fd = -1;
	s->path = fs_join(state_dir, "queue.db");
	if (!s->path)
		return err_no_memory(e);
	r = fs_mkdir_p(state_dir, 0750, e);
	if (r == 0)
		r = lock_take(state_dir, &s->lock_fd, &unclean, e);
	if (r == 0)
		r = db_open(s, unclean, e);
	if (r == 0)
		r = place_note(s, e);
	if (r < 0)
		return r;
	s->opened = true;
	*ret = TAKE(s);
	return 0;
}

void
store_close(struct store **s)
{
	if (!*s)
		return;
	db_close(*s);
	if ((*s)->opened && !(*s)->broken)
		lock_mark_clean((*s)->lock_fd);
	closep(&(*s)->lock_fd);
	free((*s)->path);
	free(*s);
	*s = NULL;
}

bool
store_broken(const struct store *s)
{
	return s->broken != 0;
}

int
store_begin(struct store *s, struct err *e)
{
	int r;

	assert(!s->batch);
	r = place_check(s, e);
	if (r == 0)
		r = db_run_alone(s, STMT_BEGIN, e);
	s->batch = r == 0;
	return r;
}

int
store_commit(struct store *s, struct err *e)
{
	int r;

	assert(s->batch);
	r = db_run_alone(s, STMT_COMMIT, e);
	if (r < 0)
		store_rollback(s);
	s->batch = false;
	return r;
}

void
store_rollback(struct store *s)
{
	assert(s->batch);
	s->lost = 0;
	if (!sqlite3_get_autocommit(s->db))
		(void)db_run_alone(s, STMT_ROLLBACK, NULL);
	s->batch = false;
}

static int
job_insert(struct store *s, const struct store_submission *sub, struct job *job, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_ADD);
	int r;

	db_bind_str(st, 1, job->spec);
	db_bind_int(st, 2, job->created);
	db_bind_int(st, 3, job->attempts_max);
	db_bind_int(st, 4, job->priority);
	db_bind_str(st, 5, sub->spec->model);
	db_bind_str(st, 6, job->owner);
	db_bind_str(st, 7, sub->key);
	db_bind_str(st, 8, sub->key ? sub->sha256 : NULL);
	r = db_run(s, st, NULL, e);
	if (r == 0)
		job->id = sqlite3_last_insert_rowid(s->db);
	return r;
}

static int
label_add(struct store *s, int64_t id, const char *name, const char *value, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_LABEL_ADD);

	db_bind_str(st, 1, name);
	db_bind_str(st, 2, value);
	db_bind_int(st, 3, id);
	return db_run(s, st, NULL, e);
}

/* Adds the first event of a job: its submission. */
static int
event_queued(struct store *s, struct job *job, struct err *e)
{
	int r = event_add_state(s, job->id, job->created, JOB_QUEUED, /*attempt=*/0, /*reason=*/NULL,
				/*message=*/NULL, e);

	if (r == 0)
		job->event = sqlite3_last_insert_rowid(s->db);
	return r;
}

/* Adds the rows that every new job needs. */
static int
job_add(struct store *s, const struct store_submission *sub, struct job *job, struct err *e)
{
	const char *name;
	json_t *value;
	int r;

	r = job_insert(s, sub, job, e);
	if (r == 0)
		r = db_run_alone(s, STMT_TALLY_ADD, e);
	json_object_foreach(sub->spec->labels, name, value)
		if (r == 0)
			r = label_add(s, job->id, name, json_string_value(value), e);
	return r < 0 ? r : event_queued(s, job, e);
}

int
store_job_add(struct store *s, const struct store_submission *sub, struct job *ret, struct err *e)
{
	_cleanup_(buf_release) struct buf spec = BUF_INIT;
	_cleanup_(job_release) struct job job = {
		.state = JOB_QUEUED,
		.created = sub->now,
		.attempts_max = (int)sub->spec->attempts,
		.priority = (int)sub->spec->priority,
		.owner = strdup(sub->owner),
	};
	int r;

	spec_print(sub->spec, &spec);
	job.spec = buf_take(&spec);
	if (!job.owner || !job.spec)
		return err_no_memory(e);
	r = db_join(s, e);
	if (r == 0)
		r = db_part(s, job_add(s, sub, &job, e), e);
	if (r < 0)
		return r;
	*ret = job;
	job = (struct job){.id = 0};
	return 0;
}

int
store_key_find(struct store *s, const struct store_submission *sub, int64_t *ret_id, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_KEY);
	int r;

	db_bind_str(st, 1, sub->owner);
	db_bind_str(st, 2, sub->key);
	r = db_step(s, st, e);
	if (r <= 0)
		return r;
	*ret_id = sqlite3_column_int64(st, 0);
	if (!str_eq(db_column_str(st, 1), sub->sha256))
		return err_set(e, E_KEY_REUSED,
			       "this Idempotency-Key already made job %" PRId64 ", which has other options",
			       *ret_id);
	return 1;
}

/* A copy of a text column: NULL stays NULL. */
static int
column_strdup(sqlite3_stmt *st, int i, char **ret, struct err *e)
{
	const char *text = db_column_str(st, i);

	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : err_no_memory(e);
}

/* Reads a row of JOB_COLUMNS. */
static int
job_read(sqlite3_stmt *st, struct job *ret, struct err *e)
{
	const char *nonce = db_column_str(st, 10);
	int r;

	ret->id = sqlite3_column_int64(st, 0);
	if (!job_state_from_str(db_column_str(st, 1), &ret->state))
		return err_set(e, E_BAD_DATABASE, "job %" PRId64 " has an unknown state", ret->id);
	ret->created = sqlite3_column_int64(st, 3);
	ret->started = sqlite3_column_int64(st, 4);
	ret->ended = sqlite3_column_int64(st, 5);
	ret->not_before = sqlite3_column_int64(st, 6);
	ret->attempt = sqlite3_column_int(st, 7);
	ret->attempts_max = sqlite3_column_int(st, 8);
	ret->cancel_requested = sqlite3_column_int(st, 9) != 0;
	(void)snprintf(ret->nonce, sizeof(ret->nonce), "%s", nonce ? nonce : "");
	ret->priority = sqlite3_column_int(st, 14);
	ret->usage = (struct job_usage){
		.seconds = sqlite3_column_double(st, 17),
		.cpu_seconds = sqlite3_column_double(st, 18),
		.peak_rss_bytes = sqlite3_column_int64(st, 19),
	};
	ret->artifact.files = sqlite3_column_int64(st, 20);
	ret->artifact.bytes = sqlite3_column_int64(st, 21);
	ret->artifact.removed = sqlite3_column_int64(st, 22);
	ret->artifact.made_by = sqlite3_column_int64(st, 23);
	ret->event = sqlite3_column_int64(st, 24);
	r = column_strdup(st, 2, &ret->spec, e);
	if (r == 0)
		r = column_strdup(st, 11, &ret->reason, e);
	if (r == 0)
		r = column_strdup(st, 12, &ret->message, e);
	if (r == 0)
		r = column_strdup(st, 13, &ret->result, e);
	if (r == 0)
		r = column_strdup(st, 15, &ret->owner, e);
	if (r == 0)
		r = column_strdup(st, 16, &ret->runner, e);
	return r;
}

static int
stage_read(sqlite3_stmt *st, struct job *job, struct err *e)
{
	struct job_stage *stages = realloc(job->stages, (job->n_stages + 1) * sizeof(*stages));
	struct job_stage *stage;

	if (!stages)
		return err_no_memory(e);
	job->stages = stages;
	stage = &stages[job->n_stages++];
	*stage = (struct job_stage){
		.seconds = sqlite3_column_double(st, 1),
		.peak_anon_bytes = sqlite3_column_int64(st, 2),
	};
	return column_strdup(st, 0, &stage->name, e);
}

static int
stages_read(struct store *s, struct job *job, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_STAGE_LIST);
	int r;

	db_bind_int(st, 1, job->id);
	db_bind_int(st, 2, job->attempt);
	while ((r = db_step(s, st, e)) == 1) {
		r = stage_read(st, job, e);
		if (r < 0)
			return r;
	}
	return r;
}

/* Reads the job of the current row of `st`, with its stages. */
static int
job_load(struct store *s, sqlite3_stmt *st, struct job *ret, struct err *e)
{
	int r = job_read(st, ret, e);

	return r < 0 ? r : stages_read(s, ret, e);
}

int
store_job_get(struct store *s, int64_t id, struct job *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_GET);
	_cleanup_(job_release) struct job job = {.id = id};
	int r;

	db_bind_int(st, 1, id);
	r = db_step(s, st, e);
	if (r == 0)
		return err_set(e, E_NOT_FOUND, "job %" PRId64 " does not exist", id);
	if (r == 1)
		r = job_load(s, st, &job, e);
	if (r < 0)
		return r;
	*ret = job;
	job = (struct job){.id = 0};
	return 0;
}

int
store_counts(struct store *s, int64_t ret[JOB_STATE_MAX], struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_TALLY);
	enum job_state state;
	int r;

	memset(ret, 0, JOB_STATE_MAX * sizeof(*ret));
	while ((r = db_step(s, st, e)) == 1)
		if (job_state_from_str(db_column_str(st, 0), &state))
			ret[state] = sqlite3_column_int64(st, 1);
	return r;
}

int
store_job_remove(struct store *s, int64_t id, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(s, id, &job, e);

	if (r < 0)
		return r;
	if (!job_state_ended(job.state))
		return err_set(e, E_CONFLICT, "job %" PRId64 " is %s: only an ended job can be removed", id,
			       job_state_to_str(job.state));
	return db_run_id(s, STMT_JOB_DELETE, id, e);
}

int
store_job_ahead(struct store *s, const struct job *job, int64_t *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_AHEAD);
	int64_t n;
	int r;

	db_bind_int(st, 1, job->priority);
	db_bind_int(st, 2, job->id);
	db_bind_int(st, 3, STORE_AHEAD_MAX + 1);
	r = db_step(s, st, e);
	if (r < 0)
		return r;
	n = sqlite3_column_int64(st, 0);
	*ret = n > STORE_AHEAD_MAX ? -1 : n;
	return 0;
}

int
store_next_due(struct store *s, int64_t now, int64_t *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_NEXT_DUE);
	int r;

	db_bind_int(st, 1, now);
	db_bind_int(st, 2, now + JOB_PAUSE_MAX_MS);
	r = db_step(s, st, e);
	if (r < 0)
		return r;
	*ret = sqlite3_column_int64(st, 0); /* min() over no rows is NULL, which reads as 0 */
	return 0;
}

static int
stage_add(struct store *s, int64_t id, int attempt, size_t place, const struct job_stage *stage,
	  struct err *e)
{
	_cleanup_free_ char *name = strdup(stage->name);
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_STAGE_ADD);

	if (!name)
		return err_no_memory(e);
	str_clean(name); /* the name comes from a worker, and goes into JSON */
	db_bind_int(st, 1, id);
	db_bind_int(st, 2, attempt);
	db_bind_int(st, 3, (int64_t)place);
	db_bind_str(st, 4, name);
	db_bind_double(st, 5, stage->seconds);
	db_bind_int(st, 6, stage->peak_anon_bytes);
	return db_run(s, st, NULL, e);
}

static int
stages_clear(struct store *s, int64_t id, int attempt, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_STAGE_CLEAR);

	db_bind_int(st, 1, id);
	db_bind_int(st, 2, attempt);
	return db_run(s, st, NULL, e);
}

int
store_stages_set(struct store *s, int64_t id, int attempt, const struct job_stage *stages, size_t n,
		 struct err *e)
{
	size_t i;
	int r;

	r = db_enter(s, e);
	if (r < 0)
		return r;
	r = stages_clear(s, id, attempt, e);
	for (i = 0; r == 0 && i < n; i++)
		r = stage_add(s, id, attempt, i, &stages[i], e);
	return db_leave(s, r, e);
}

int
store_runner_set(struct store *s, int64_t id, const char *runner, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_RUNNER);

	db_bind_int(st, 1, id);
	db_bind_str(st, 2, runner);
	return db_run(s, st, NULL, e);
}

int
store_usage_set(struct store *s, int64_t id, const char *nonce, const struct job_usage *usage, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_USAGE);

	db_bind_int(st, 1, id);
	db_bind_str(st, 2, nonce);
	db_bind_double(st, 3, usage->seconds);
	db_bind_double(st, 4, usage->cpu_seconds);
	db_bind_int(st, 5, usage->peak_rss_bytes);
	return db_run(s, st, NULL, e);
}

int
store_death_add(struct store *s, int64_t id, int64_t max, int64_t *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_DEATH);
	int r;

	db_bind_int(st, 1, id);
	db_bind_int(st, 2, max);
	r = db_step(s, st, e);
	if (r == 1)
		*ret = sqlite3_column_int64(st, 0);
	return MIN(r, 0);
}

int
store_file_list(struct store *s, int64_t id, struct artifact_list *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_FILE_LIST);
	_cleanup_(artifact_list_release) struct artifact_list list = ARTIFACT_LIST_INIT;
	int r;

	db_bind_int(st, 1, id);
	while ((r = db_step(s, st, e)) == 1) {
		r = artifact_list_add(&list, db_column_str(st, 0), (uint64_t)sqlite3_column_int64(st, 1),
				      db_column_str(st, 2), e);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret = list;
	list = (struct artifact_list)ARTIFACT_LIST_INIT;
	return 0;
}
