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

/* Whether the files could not be had for a reason that another attempt mends. */
static bool
files_bad(int code)
{
	return code == E_MISMATCH || code == E_NOT_FOUND;
}

static int
requeue(struct recovery *rec, const struct job *job, struct err *e)
{
	struct job_change c = {.now = rec->now, .nonce = job->nonce};
	char message[80];
	int64_t deaths;
	int r;

	r = store_death_add(rec->s, job->id, rec->deaths_max, &deaths, e);
	if (r < 0)
		return r;
	rec->report->requeued += deaths != 0;
	rec->report->failed += deaths == 0;
	if (deaths)
		return job_apply(rec->s, job->id, JOB_EVENT_REQUEUE, &c, e);
	(void)snprintf(message, sizeof(message), "the daemon died %" PRId64 " times under this job",
		       rec->deaths_max);
	c.code = E_WORKER_CRASHED;
	c.message = message;
	return job_apply(rec->s, job->id, JOB_EVENT_FAIL, &c, e);
}

static int
job_recover(struct recovery *rec, const struct job *job, struct err *e)
{
	const struct job_change c = {.now = rec->now, .nonce = job->nonce};
	struct err why = ERR_INIT;
	int r;

	if (job->result) {
		r = publish_resume(rec->s, rec->state_dir, job, rec->now, &why);
		rec->report->finished += r == 0;
		if (r == 0)
			return 0;
		if (!files_bad(r))
			return err_set(e, r, "%s", why.msg);
	}
	if (job->cancel_requested) {
		rec->report->cancelled++;
		return job_apply(rec->s, job->id, JOB_EVENT_CANCEL, &c, e);
	}
	r = db_enter(rec->s, e);
	return r < 0 ? r : db_leave(rec->s, requeue(rec, job, e), e);
}

static int
id_note(const struct job *job, void *arg, struct err *e)
{
	(void)e;
	*(int64_t *)arg = job->id;
	return 0;
}

/* One at a time, for a recovered job runs no longer: the listing must not change while it is read. */
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
