#include "wait.h"

#define WAIT_MAGIC 0x77616974u

struct wait {
	unsigned magic;
	LIST_ENTRY(wait) entry;
	struct waits *all;
	struct request *q;
	int64_t after;
	int64_t until_ms; /* on the loop's clock */
};

static void
wait_end(struct wait *w)
{
	struct waits *ws = w->all;

	request_watch_peer(w->q, NULL, NULL);
	LIST_REMOVE(w, entry);
	ws->n--;
	w->q->waited = true;
	request_resume(w->q);
	OBJ_FREE(w);
}

static void
peer_left(void *arg, uint32_t events)
{
	struct wait *w = arg;

	(void)events;
	CHECK_OBJ(w, WAIT_MAGIC);
	wait_end(w);
}

static void
timer_set(struct waits *ws)
{
	int64_t until_ms = INT64_MAX;
	const struct wait *w;

	LIST_FOREACH(w, &ws->list, entry)
		until_ms = MIN(until_ms, w->until_ms);
	if (until_ms < INT64_MAX)
		loop_timer_set(ws->spec->loop, &ws->due, MAX(until_ms - loop_now_ms(), 0));
}

static void
waits_due(void *arg)
{
	struct waits *ws = arg;
	const int64_t now = loop_now_ms();
	struct wait *w, *next;

	for (w = LIST_FIRST(&ws->list); w; w = next) {
		next = LIST_NEXT(w, entry);
		if (w->until_ms <= now)
			wait_end(w);
	}
	timer_set(ws);
}

void
waits_init(struct waits *ws, const struct live_spec *spec)
{
	*ws = (struct waits){.spec = spec, .due = {.fn = waits_due, .arg = ws}};
	LIST_INIT(&ws->list);
}

int
wait_begin(struct waits *ws, struct request *q, int64_t after, uint64_t seconds, struct err *e)
{
	struct wait *w = calloc(1, sizeof(*w));

	if (!w)
		return err_no_memory(e);
	*w = (struct wait){
		.magic = WAIT_MAGIC,
		.all = ws,
		.q = q,
		.after = after,
		.until_ms = loop_now_ms() + (int64_t)seconds * 1000,
	};
	request_watch_peer(q, peer_left, w);
	LIST_INSERT_HEAD(&ws->list, w, entry);
	ws->n++;
	timer_set(ws);
	request_suspend(q);
	return 0;
}

void
waits_event(struct waits *ws, const struct event *ev)
{
	struct wait *w, *next;

	for (w = LIST_FIRST(&ws->list); w; w = next) {
		next = LIST_NEXT(w, entry);
		if (w->q->id == ev->job && w->after != LIVE_JOB_END && ev->id > w->after)
			wait_end(w);
	}
}

void
waits_job_ended(struct waits *ws, int64_t job)
{
	struct wait *w, *next;

	for (w = LIST_FIRST(&ws->list); w; w = next) {
		next = LIST_NEXT(w, entry);
		if (w->q->id == job)
			wait_end(w);
	}
}

bool
waits_watched(const struct waits *ws, int64_t job)
{
	const struct wait *w;

	LIST_FOREACH(w, &ws->list, entry)
		if (w->q->id == job)
			return true;
	return false;
}

void
waits_end(struct waits *ws)
{
	loop_timer_stop(&ws->due);
	while (!LIST_EMPTY(&ws->list))
		wait_end(LIST_FIRST(&ws->list));
}
