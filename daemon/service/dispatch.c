#include "attempt.h"

#include "base/log.h"
#include "queue/reserve.h"
#include "runner/resources.h"

#define DISPATCH_MAGIC 0x64697370u

void
dispatch_lack(struct dispatch *d, const struct err *why)
{
	if (!d->lacking)
		log_warning("%s; no job is started until then", why->msg);
	d->lacking = true;
}

/* Whether jobs may be claimed. Check the disk every time, because a job that starts on a full disk fails without a retry. */
static bool
lack_check(struct dispatch *d)
{
	struct err e = ERR_INIT;
	int r = d->lacking ? resources_check(d->spec.state_dir, RESERVE_FREE_MIN, &e)
			   : resources_check_disk(d->spec.state_dir, RESERVE_FREE_MIN, &e);

	if (r < 0) {
		dispatch_lack(d, &e);
		return false;
	}
	if (d->lacking)
		log_notice("jobs are started again");
	d->lacking = false;
	return true;
}

/* Claim a job for a runner. Returns 1, or 0 when no job is due. */
static int
job_take(struct dispatch *d, const struct runner *runner, struct job *ret, struct err *e)
{
	struct store *s = d->spec.store;
	int r, k;

	r = store_begin(s, e);
	if (r < 0)
		return r;
	r = job_claim(s, job_now(), ret, e);
	k = r > 0 ? store_runner_set(s, ret->id, runner->name, e) : r;
	if (k < 0) {
		store_rollback(s);
		return k;
	}
	k = store_commit(s, e);
	return k < 0 ? k : r;
}

static void
kick_due(void *arg)
{
	struct dispatch *d = arg;
	struct err e = ERR_INIT;
	struct runner *runner;
	int64_t now, due = 0;
	int r;

	CHECK_OBJ(d, DISPATCH_MAGIC);
	if (d->held)
		return;
	do {
		_cleanup_(job_release) struct job job = {.id = 0};

		runner = runners_find_free(d->spec.runners);
		if (!runner || d->draining)
			return;
		if (!lack_check(d)) {
			loop_timer_set(d->spec.loop, &d->kick, AGAIN_MS);
			return;
		}
		r = job_take(d, runner, &job, &e);
		if (r > 0)
			attempt_start(d, runner, &job);
	} while (r > 0);
	now = job_now();
	if (r == 0)
		r = store_next_due(d->spec.store, now, &due, &e);
	if (r < 0) {
		d->spec.failed(d->spec.arg, &e);
		due = now + AGAIN_MS;
	}
	if (due)
		loop_timer_set(d->spec.loop, &d->kick, MAX(due - now, 1));
}

int
dispatch_new(const struct dispatch_spec *spec, struct dispatch **ret, struct err *e)
{
	struct dispatch *d = calloc(1, sizeof(*d));

	if (!d)
		return err_no_memory(e);
	d->magic = DISPATCH_MAGIC;
	d->spec = *spec;
	d->held = true;
	d->kick = (struct loop_timer){.fn = kick_due, .arg = d};
	journal_init(&d->journal, &d->spec);
	*ret = d;
	return 0;
}

void
dispatch_set_live(struct dispatch *d, struct live *live)
{
	d->live = live;
	d->journal.live = live;
}

void
dispatch_free(struct dispatch **dp)
{
	struct dispatch *d = *dp;
	struct run *run, *next;

	if (!d)
		return;
	CHECK_OBJ(d, DISPATCH_MAGIC);
	for (run = LIST_FIRST(&d->spec.runners->runs); run; run = next) {
		next = LIST_NEXT(run, entry);
		attempt_abandon(run);
	}
	loop_timer_stop(&d->kick);
	journal_release(&d->journal);
	OBJ_FREE(*dp);
}

/* Run in a later turn of the loop, so that waiting requests are answered first. */
void
dispatch_kick(struct dispatch *d)
{
	loop_timer_set(d->spec.loop, &d->kick, 0);
}

void
dispatch_attempt_over(struct dispatch *d)
{
	if (!d->draining)
		dispatch_kick(d);
	else if (LIST_EMPTY(&d->spec.runners->runs))
		d->spec.idle(d->spec.arg);
}

void
dispatch_begin(struct dispatch *d)
{
	d->held = false;
	dispatch_kick(d);
}

void
dispatch_set_spec(struct dispatch *d, const struct dispatch_spec *spec)
{
	d->spec = *spec;
}

void
dispatch_drain(struct dispatch *d)
{
	d->draining = true;
	loop_timer_stop(&d->kick);
	if (LIST_EMPTY(&d->spec.runners->runs))
		d->spec.idle(d->spec.arg);
}

void
dispatch_stop(struct dispatch *d)
{
	struct run *run;

	d->stopping = true;
	LIST_FOREACH(run, &d->spec.runners->runs, entry)
		if (run->child)
			child_stop(run->child, E_BUSY, "the daemon stops");
	dispatch_drain(d);
}
