#include "keeper.h"

#include <inttypes.h>

#include "base/log.h"
#include "queue/reserve.h"

#define KEEPER_MAGIC 0x6b656570u
#define EVERY_MS 60000

struct keeper {
	unsigned magic;
	struct keeper_spec spec;
	struct retention keep;
	struct loop_timer limits;
	struct loop_timer trash;
};

/* Returns 1 when more may remain. */
static int
limits_apply(struct keeper *k, struct err *e)
{
	_cleanup_(removal_release) struct removal what = REMOVAL_INIT;
	const struct keeper_spec *spec = &k->spec;
	int r = retention_turn(spec->store, spec->state_dir, &k->keep, job_now(), &what, e);

	if (r <= 0)
		return r;
	log_notice("limits of the settings: removed %zu artifacts with %" PRId64 " bytes and %zu jobs",
		   what.artifacts.n, what.bytes, what.jobs.n);
	spec->removed(spec->arg, &what);
	return 1;
}

static void
limits_due(void *arg)
{
	struct keeper *k = arg;
	struct err e = ERR_INIT;
	int r;

	CHECK_OBJ(k, KEEPER_MAGIC);
	reserve_keep(k->spec.state_dir);
	r = limits_apply(k, &e);
	if (r < 0)
		k->spec.failed(k->spec.arg, &e);
	keeper_empty(k); /* a file that a client was reading may be closed by now */
	loop_timer_set(k->spec.loop, &k->limits, r > 0 ? 0 : EVERY_MS);
}

/* Work half of the time at most: after each step pause as long as the step took. */
static void
trash_due(void *arg)
{
	struct keeper *k = arg;
	const int64_t began = loop_now_ms();
	struct err e = ERR_INIT;
	int r;

	CHECK_OBJ(k, KEEPER_MAGIC);
	r = artifact_trash_step(k->spec.state_dir, &e);
	if (r < 0)
		k->spec.failed(k->spec.arg, &e);
	else if (r > 0)
		loop_timer_set(k->spec.loop, &k->trash, loop_now_ms() - began);
}

int
keeper_new(const struct keeper_spec *spec, struct keeper **ret, struct err *e)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (!k)
		return err_no_memory(e);
	k->magic = KEEPER_MAGIC;
	k->spec = *spec;
	k->keep = (struct retention)RETENTION_INIT;
	k->limits = (struct loop_timer){.fn = limits_due, .arg = k};
	k->trash = (struct loop_timer){.fn = trash_due, .arg = k};
	*ret = k;
	return 0;
}

void
keeper_free(struct keeper **kp)
{
	struct keeper *k = *kp;

	if (!k)
		return;
	CHECK_OBJ(k, KEEPER_MAGIC);
	loop_timer_stop(&k->limits);
	loop_timer_stop(&k->trash);
	OBJ_FREE(*kp);
}

void
keeper_set(struct keeper *k, const struct retention *keep)
{
	k->keep = *keep;
	keeper_kick(k);
}

/* Runs in a turn of its own, like the next function. */
void
keeper_kick(struct keeper *k)
{
	loop_timer_set(k->spec.loop, &k->limits, 0);
}

void
keeper_empty(struct keeper *k)
{
	if (!k->trash.set)
		loop_timer_set(k->spec.loop, &k->trash, 0);
}
