#include "live.h"

#include "base/str.h"
#include "queue/store.h"
#include "stream.h"
#include "wait.h"

#define PAGE 256

struct live {
	struct live_spec spec;
	struct streams streams;
	struct waits waits;
	int64_t published; /* the newest published event; kept only while somebody watches */
};

static bool
watched(const struct live *l)
{
	return l->streams.n + l->waits.n > 0;
}

int
live_new(const struct live_spec *spec, struct live **ret, struct err *e)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return err_no_memory(e);
	l->spec = *spec;
	streams_init(&l->streams, &l->spec);
	waits_init(&l->waits, &l->spec);
	*ret = l;
	return 0;
}

void
live_free(struct live **lp)
{
	struct live *l = *lp;

	if (!l)
		return;
	streams_release(&l->streams);
	waits_end(&l->waits);
	free(l);
	*lp = NULL;
}

void
live_set_spec(struct live *l, const struct live_spec *spec)
{
	l->spec = *spec;
}

void
live_close(struct live *l)
{
	streams_close(&l->streams);
	waits_end(&l->waits);
}

unsigned
live_streams(const struct live *l)
{
	return l->streams.n;
}

/* Call before adding a stream or a waiting request. The first one starts to follow the events. */
static int
enter(struct live *l, struct err *e)
{
	const unsigned max = l->spec.streams_max;

	if (l->streams.n + l->waits.n >= max)
		return err_set(e, E_BUSY,
			       "%u streams and waiting requests are open, which is the limit (streams_max)",
			       max);
	return watched(l) ? 0 : event_newest(l->spec.store, &l->published, e);
}

int
live_stream(struct live *l, struct request *q, int64_t job, int64_t after, struct err *e)
{
	int r = enter(l, e);

	return r < 0 ? r : stream_reply(&l->streams, q, job, after, e);
}

int
live_wait(struct live *l, struct request *q, int64_t after, uint64_t seconds, struct err *e)
{
	int r = enter(l, e);

	return r < 0 ? r : wait_begin(&l->waits, q, after, seconds, e);
}

/* Publishes the end of a job, unless the job was retried since. */
static int
end_show(struct live *l, const struct event *ev, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(l->spec.store, ev->job, &job, e);

	if (r < 0 || !job_state_ended(job.state) || job.event != ev->id)
		return r;
	streams_job_ended(&l->streams, &job);
	waits_job_ended(&l->waits, ev->job);
	return 0;
}

struct page {
	struct live *l;
	int n;
};

static int
event_show(const struct event *ev, void *arg, struct err *e)
{
	struct page *p = arg;
	struct live *l = p->l;

	p->n++;
	l->published = ev->id;
	streams_event(&l->streams, ev);
	waits_event(&l->waits, ev);
	if (!str_eq(ev->name, EVENT_STATE))
		return 0;
	if (!streams_watched(&l->streams, ev->job) && !waits_watched(&l->waits, ev->job))
		return 0;
	return end_show(l, ev, e);
}

void
live_publish(struct live *l)
{
	struct page p = {.l = l, .n = PAGE};
	struct err e = ERR_INIT;
	int r = 0;

	while (watched(l) && r == 0 && p.n == PAGE) {
		p.n = 0;
		r = event_list(l->spec.store, EVENTS_ALL, /*job=*/0, l->published, PAGE, event_show, &p, &e);
	}
	if (r < 0)
		l->spec.failed(l->spec.arg, &e);
}

void
live_progress_take(struct live *l, int64_t job, json_t *data)
{
	(void)json_object_set_new(data, "job", json_integer(job));
	streams_send(&l->streams, job, "progress", data);
	json_decref(data);
}

void
live_removed(struct live *l, int64_t job)
{
	streams_job_removed(&l->streams, job);
	waits_job_ended(&l->waits, job);
}
