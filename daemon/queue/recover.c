#include "recover.h"

#include <inttypes.h>

#include "db.h"
#include "list.h"
#include "publish.h"

struct recovery {
	struct store *s;
	const char *state_dir;
	int64_t deaths_max;
	int64_t now;
	struct recover_report *report;
};

/* Whether publishing failed because of the files, so that a new attempt can succeed. */
static bool
files_bad(int code)
{
	return code == E_MISMATCH || code == E_NOT_FOUND;
}

/* Count one death of the daemon under this job, at most once per start; at the limit the job fails. */
static int
death_count(struct recovery *rec, const struct job *job, bool *ret_failed, struct err *e)
{
	struct job_change c = {.now = rec->now, .nonce = job->nonce, .code = E_WORKER_CRASHED};
	char message[80];
	int64_t deaths;
	int r;

	*ret_failed = false;
	if (rec->s->death_counted == job->id)
		return 0;
	r = store_death_add(rec->s, job->id, rec->deaths_max, &deaths, e);
	if (r < 0 || deaths)
		return r;
	*ret_failed = true;
	(void)snprintf(message, sizeof(message), "the daemon died %" PRId64 " times under this job",
		       rec->deaths_max);
	c.message = message;
	return job_apply(rec->s, job->id, JOB_EVENT_FAIL, &c, e);
}

/* Commit the count by itself, because the next step may kill the daemon. */
static int
death_note(struct recovery *rec, const struct job *job, bool *ret_failed, struct err *e)
{
	int r = db_enter(rec->s, e);

	if (r == 0)
		r = db_leave(rec->s, death_count(rec, job, ret_failed, e), e);
	if (r == 0) {
		rec->s->death_counted = job->id;
		rec->report->failed += *ret_failed;
	}
	return r;
}

static int
count_and_requeue(struct recovery *rec, const struct job *job, bool *ret_failed, struct err *e)
{
	const struct job_change c = {.now = rec->now, .nonce = job->nonce};
	int r = death_count(rec, job, ret_failed, e);

	return r < 0 || *ret_failed ? r : job_apply(rec->s, job->id, JOB_EVENT_REQUEUE, &c, e);
}

static int
requeue(struct recovery *rec, const struct job *job, struct err *e)
{
	bool failed = false;
	int r = db_enter(rec->s, e);

	if (r == 0)
		r = db_leave(rec->s, count_and_requeue(rec, job, &failed, e), e);
	if (r == 0) {
		rec->report->failed += failed;
		rec->report->requeued += !failed;
	}
	return r;
}

/* Returns 1 when the job ended (published, or failed at the limit of deaths), 0 when it must run again. */
static int
result_recover(struct recovery *rec, const struct job *job, struct err *e)
{
	struct err why = ERR_INIT;
	bool failed;
	int r = death_note(rec, job, &failed, e);

	if (r < 0 || failed)
		return r < 0 ? r : 1;
	r = publish_resume(rec->s, rec->state_dir, job, rec->now, &why);
	rec->report->finished += r == 0;
	if (r == 0 || files_bad(r))
		return r == 0;
	return err_set(e, r, "%s", why.msg);
}

static int
job_recover(struct recovery *rec, const struct job *job, struct err *e)
{
	const struct job_change c = {.now = rec->now, .nonce = job->nonce};
	int r = job->result ? result_recover(rec, job, e) : 0;

	if (r != 0)
		return MIN(r, 0);
	if (!job->cancel_requested)
		return requeue(rec, job, e);
	r = job_apply(rec->s, job->id, JOB_EVENT_CANCEL, &c, e);
	rec->report->cancelled += r == 0;
	return r;
}

static int
id_note(const struct job *job, void *arg, struct err *e)
{
	(void)e;
	*(int64_t *)arg = job->id;
	return 0;
}

/* List one job per call: recovering it takes it out of the listing, which must not change while it is read. */
static int
running_recover(struct recovery *rec, struct err *e)
{
	static const struct list_filter running = {.states[JOB_RUNNING] = true};
	int64_t next;
	int r;

	for (;;) {
		_cleanup_(job_release) struct job job = {.id = 0};
		int64_t id = 0;

		r = list_jobs(rec->s, &running, INT64_MAX, /*limit=*/1, id_note, &id, &next, e);
		if (r < 0 || id == 0)
			return r;
		r = store_job_get(rec->s, id, &job, e);
		if (r == 0)
			r = job_recover(rec, &job, e);
		if (r < 0)
			return r;
	}
}

static int
artifact_recover(const char *name, int64_t id, void *arg, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	struct recovery *rec = arg;
	struct err why = ERR_INIT;
	int r = E_NOT_FOUND;

	if (id)
		r = store_job_get(rec->s, id, &job, &why);
	if (r == E_NOT_FOUND) {
		rec->report->artifacts_lost++;
		return artifact_set_aside(rec->state_dir, name, e);
	}
	if (r < 0)
		return err_set(e, r, "%s", why.msg);
	if (job.state == JOB_DONE && !job.artifact.removed)
		return 0;
	rec->report->artifacts_removed++;
	return artifact_trash(rec->state_dir, id, e);
}

int
recover_run(struct store *s, const char *state_dir, int64_t deaths_max, int64_t now,
	    struct recover_report *ret, struct err *e)
{
	struct recovery rec = {
		.s = s, .state_dir = state_dir, .deaths_max = deaths_max, .now = now, .report = ret};
	int r;

	*ret = (struct recover_report){.finished = 0};
	r = running_recover(&rec, e);
	if (r == 0)
		r = artifact_purge_staging(state_dir, &ret->staging_removed, e);
	if (r == 0)
		r = artifact_each(state_dir, artifact_recover, &rec, e);
	return r;
}
