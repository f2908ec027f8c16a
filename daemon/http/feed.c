/* From the events that were committed to those who watch: streams and requests that wait. */
#include "api.h"

#include "base/str.h"

#define PAGE 256

static bool
watched(const struct server *s)
{
	return s->streams.n + s->waits.n > 0;
}

int
feed_enter(struct server *s, struct err *e)
{
	const unsigned max = s->spec.streams_max;

	if (s->streams.n + s->waits.n >= max)
		return err_set(e, E_BUSY, "%u streams and waiting requests are open, which is the limit",
			       max);
	return watched(s) ? 0 : event_newest(s->spec.store, &s->published, e);
}

/* A job that ended and did not go on since. */
static int
end_show(struct server *s, const struct event *ev, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(s->spec.store, ev->job, &job, e);

	if (r < 0 || !job_state_ended(job.state) || job.event != ev->id)
		return r;
	streams_job_ended(&s->streams, &job);
	waits_job_ended(&s->waits, ev->job);
	return 0;
}

struct page {
	struct server *s;
	int n;
};

static int
event_show(const struct event *ev, void *arg, struct err *e)
{
	struct page *p = arg;
	struct server *s = p->s;

	p->n++;
	s->published = ev->id;
	streams_event(&s->streams, ev);
	waits_event(&s->waits, ev);
	if (!str_eq(ev->name, EVENT_STATE))
		return 0;
	if (!streams_watched(&s->streams, ev->job) && !waits_watched(&s->waits, ev->job))
		return 0;
	return end_show(s, ev, e);
}

void
server_publish(struct server *s)
{
	struct page p = {.s = s, .n = PAGE};
	struct err e = ERR_INIT;
	int r = 0;

	while (watched(s) && r == 0 && p.n == PAGE) {
		p.n = 0;
		r = event_list(s->spec.store, EVENTS_ALL, /*job=*/0, s->published, PAGE, event_show, &p, &e);
	}
	if (r < 0)
		s->spec.failed(s->spec.arg, &e);
}

void
server_publish_progress_take(struct server *s, int64_t job, json_t *data)
{
	(void)json_object_set_new(data, "job", json_integer(job));
	streams_send(&s->streams, job, "progress", data);
	json_decref(data);
}

void
server_publish_removed(struct server *s, int64_t job)
{
	streams_job_removed(&s->streams, job);
	waits_job_ended(&s->waits, job);
}
