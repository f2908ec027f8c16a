#include "publish.h"

#include <inttypes.h>

#include "db.h"

static int
result_set(struct store *s, int64_t id, const char *nonce, const struct publication *p, struct err *e)
{
	_cleanup_free_ char *text = json_text(p->result, JSON_COMPACT);
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_RESULT);
	int changes, r;

	if (!text)
		return err_no_memory(e);
	db_bind_int(st, 1, id);
	db_bind_str(st, 2, nonce);
	db_bind_str(st, 3, text);
	db_bind_str(st, 4, *p->recipe ? p->recipe : NULL);
	db_bind_int(st, 5, p->made_by);
	r = db_run(s, st, &changes, e);
	if (r == 0 && changes != 1)
		return err_set(e, E_CONFLICT, "this is not the attempt of job %" PRId64 " that runs", id);
	return r;
}

/* Step 1. */
static int
result_keep(struct store *s, int64_t id, const char *nonce, const struct publication *p, struct job *ret,
	    struct err *e)
{
	int r;

	r = db_enter(s, e);
	if (r < 0)
		return r;
	r = result_set(s, id, nonce, p, e);
	if (r == 0)
		r = store_job_get(s, id, ret, e);
	if (r == 0)
		r = store_stages_set(s, id, ret->attempt, p->stages, p->n_stages, e);
	return db_leave(s, r, e);
}

static int
file_add(struct store *s, int64_t id, const struct artifact_file *f, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_FILE_ADD);

	db_bind_int(st, 1, id);
	db_bind_str(st, 2, f->name);
	db_bind_int(st, 3, (int64_t)f->size);
	db_bind_str(st, 4, f->sha256);
	return db_run(s, st, NULL, e);
}

/* Stores the totals of the file rows in the job's row, for lists and limits. */
static int
sums_set(struct store *s, int64_t id, const struct artifact_list *files, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_JOB_ARTIFACT);
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < files->n; i++)
		bytes += files->files[i].size;
	db_bind_int(st, 1, id);
	db_bind_int(st, 2, (int64_t)files->n);
	db_bind_int(st, 3, (int64_t)bytes);
	return db_run(s, st, NULL, e);
}

/* Step 3. */
static int
finish(struct store *s, const struct job *job, const struct artifact_list *files, int64_t now, struct err *e)
{
	const struct job_change c = {.now = now, .nonce = job->nonce};
	size_t i;
	int r;

	r = db_enter(s, e);
	if (r < 0)
		return r;
	r = job_apply(s, job->id, JOB_EVENT_FINISH, &c, e);
	for (i = 0; r == 0 && i < files->n; i++)
		r = file_add(s, job->id, &files->files[i], e);
	if (r == 0)
		r = sums_set(s, job->id, files, e);
	return db_leave(s, r, e);
}

int
publish_resume(struct store *s, const char *state_dir, const struct job *job, int64_t now, struct err *e)
{
	_cleanup_(artifact_list_release) struct artifact_list files = ARTIFACT_LIST_INIT;
	int r;

	assert(job->state == JOB_RUNNING && job->result);
	r = artifact_publish(state_dir, job->id, job->attempt, job->artifact.made_by != 0, &files, e);
	return r < 0 ? r : finish(s, job, &files, now, e);
}

int
publish_job(struct store *s, const char *state_dir, int64_t id, const char *nonce, int64_t now,
	    const struct publication *p, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r;

	assert(!s->batch); /* each step must be durable before the next one begins */
	r = result_keep(s, id, nonce, p, &job, e);
	return r < 0 ? r : publish_resume(s, state_dir, &job, now, e);
}
