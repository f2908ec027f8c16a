#include "follow.h"

#include <inttypes.h>
#include <poll.h>

#include "base/log.h"
#include "base/str.h"
#include "bar.h"
#include "clock.h"
#include "interrupt.h"
#include "job.h"
#include "sse.h"
#include "text.h"

#define RETRY_MS_MIN 250
#define RETRY_MS_MAX 5000

struct follow {
	struct cli *c;
	uint64_t id;
	const struct follow_options *options;
	int64_t deadline_ms; /* 0: none */
	struct bar bar;
	struct sse sse;
	json_t *job; /* its last document; NULL before the first */
	bool lost;   /* the daemon, since it was there last */
};

const char *
follow_log(const char *line, bool all)
{
	if (line[0] != '<' || line[1] < '0' || line[1] > '7' || line[2] != '>')
		return line;
	return all || line[1] <= '0' + LOG_LEVEL_WARNING ? line + 3 : NULL;
}

static void
progress_show(struct follow *f, const json_t *progress, const char *stage)
{
	int64_t now = clock_ms();
	char clean[sizeof(f->bar.stage)];

	if (!*stage)
		return;
	text_copy(clean, sizeof(clean), stage);
	if (!str_eq(clean, f->bar.stage))
		bar_stage(&f->bar, stage, now);
	if (json_is_object(progress))
		bar_progress(&f->bar, job_whole(progress, "done"), job_whole(progress, "total"),
			     job_str(progress, "unit"), job_str(progress, "detail"), now);
}

/* A job's new state, unless that is its end: that is for whoever follows it to tell. */
static void
state_tell(struct follow *f, const json_t *job)
{
	const char *state = job_str(job, "state"), *reason = job_str(job, "reason");
	uint64_t attempt = job_whole(job, "attempt");

	if (job_ended(job))
		return;
	if (str_eq(state, "queued") && *reason)
		bar_note(&f->bar, "queued again (%s): %s", reason, job_str(job, "message"));
	else if (str_eq(state, "running") && attempt > 1)
		bar_note(&f->bar, "running, attempt %" PRIu64, attempt);
	else
		bar_note(&f->bar, "%s", state);
}

static void
job_show(struct follow *f, const json_t *before, const json_t *job)
{
	bool running = str_eq(job_str(job, "state"), "running");

	if (!running)
		bar_end(&f->bar, clock_ms());
	if (!before || !str_eq(job_str(before, "state"), job_str(job, "state")) ||
	    job_whole(before, "attempt") != job_whole(job, "attempt"))
		state_tell(f, job);
	if (running)
		progress_show(f, json_object_get(job, "progress"), job_str(job, "stage"));
}

/* One JSON object a line, for programs. */
static int
event_print(const char *event, json_t *data, struct err *e)
{
	json_t *line = json_pack("{s:s, s:O}", "event", event, "data", data);

	if (!line)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	cli_print_json(line, JSON_COMPACT);
	(void)fflush(stdout);
	json_decref(line);
	return 0;
}

static void
event_show(struct follow *f, const char *event, json_t *data)
{
	const char *line;

	if (str_eq(event, "job")) {
		job_show(f, f->job, data);
	} else if (str_eq(event, "state")) {
		if (!str_eq(job_str(data, "state"), "running"))
			bar_end(&f->bar, clock_ms());
		state_tell(f, data);
	} else if (str_eq(event, "stage")) {
		bar_end(&f->bar, clock_ms());
		progress_show(f, NULL, job_str(data, "stage"));
	} else if (str_eq(event, "progress")) {
		progress_show(f, data, job_str(data, "stage"));
	} else if (str_eq(event, "log")) {
		line = follow_log(job_str(data, "line"), f->options->log);
		if (line)
			bar_note(&f->bar, "%s", line);
	}
}

/* 1 when the job has ended. */
static int
on_event(void *ctx, const char *event, const char *text, size_t len, struct err *e)
{
	struct follow *f = ctx;
	json_t *data;
	int r;

	r = json_parse(text, len, "an event of the daemon", E_INTERNAL, &data, e);
	if (r < 0)
		return r;
	if (f->lost)
		bar_note(&f->bar, "the daemon is back");
	f->lost = false;
	if (f->options->events)
		r = event_print(event, data, e);
	else
		event_show(f, event, data);
	if (r == 0 && str_eq(event, "job")) {
		r = job_ended(data);
		json_decref(f->job);
		f->job = json_incref(data);
	}
	if (str_eq(event, "state") && f->job && !job_ended(data)) /* an end comes with the whole job */
		(void)json_object_update_existing(f->job, data);
	json_decref(data);
	return r;
}

static int
on_bytes(void *ctx, uint64_t offset _unused_, const char *data, size_t len, struct err *e)
{
	struct follow *f = ctx;

	return sse_feed(&f->sse, data, len, on_event, f, e);
}

/* What may pass: the daemon restarts, or sheds load. A first contact that fails does not. */
static bool
is_loss(int r)
{
	return r == 0 || r == E_UNREACHABLE || r == E_BUSY;
}

/* Before the next try: 0, or E_CANCELLED or E_TIMEOUT. */
static int
loss_wait(struct follow *f, const struct interrupt *stop, int64_t wait_ms, struct err *e)
{
	struct pollfd p = {.fd = stop->fd, .events = POLLIN};

	if (f->deadline_ms)
		wait_ms = MIN(wait_ms, f->deadline_ms - clock_ms());
	if (wait_ms > 0 && poll(&p, 1, (int)wait_ms) > 0)
		return err_set(e, E_CANCELLED, "interrupted");
	if (f->deadline_ms && clock_ms() >= f->deadline_ms)
		return err_set(e, E_TIMEOUT, "timed out");
	return 0;
}

static int
follow_run(struct follow *f, const struct interrupt *stop, struct err *e)
{
	char path[64], last[64];
	struct http_request req = {
		.method = "GET", .path = path, .sink = on_bytes, .ctx = f, .deadline_ms = f->deadline_ms};
	int64_t wait_ms = RETRY_MS_MIN;
	struct http *h;
	int r;

	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "/events", f->id);
	r = cli_http(f->c, &h, e);
	if (r < 0)
		return r;
	for (;;) {
		sse_reset(&f->sse);
		(void)snprintf(last, sizeof(last), "Last-Event-ID: %s", f->sse.last_id);
		req.header = *f->sse.last_id ? last : NULL;
		http_stop_on(h, stop->fd);
		r = http_perform(h, &req, e);
		http_stop_on(h, -1);
		if (r == 0 && !f->job)
			return err_set(e, E_INTERNAL, "%s at '%s' has no events", path, f->c->server);
		if (!f->job || job_ended(f->job) || !is_loss(r))
			return r;
		if (!f->lost) {
			bar_note(&f->bar, "lost the daemon%s%s; waiting for it", e->code ? ": " : "", e->msg);
			wait_ms = RETRY_MS_MIN;
		}
		f->lost = true;
		err_clear(e);
		r = loss_wait(f, stop, wait_ms, e);
		if (r < 0)
			return r;
		wait_ms = MIN(2 * wait_ms, RETRY_MS_MAX);
	}
}

int
follow(struct cli *c, uint64_t id, const struct follow_options *o, json_t **ret, struct err *e)
{
	_cleanup_(interrupt_close) struct interrupt stop = INTERRUPT_INIT;
	struct follow f = {.c = c, .id = id, .options = o, .sse = SSE_INIT};
	char prefix[32];
	sigset_t signals;
	int r;

	(void)snprintf(prefix, sizeof(prefix), "job %" PRIu64, id);
	bar_init(&f.bar, stderr, prefix);
	f.deadline_ms = o->timeout_s ? clock_ms() + (int64_t)MIN(o->timeout_s, 1u << 30) * 1000 : 0;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	r = interrupt_open(&stop, &signals, e);
	if (r == 0)
		r = follow_run(&f, &stop, e);
	bar_end(&f.bar, clock_ms());
	if (r == 0) {
		*ret = TAKE(f.job);
	} else if (r == E_CANCELLED) {
		err_clear(e);
		bar_note(&f.bar, "detached, it goes on; come back with 'colconvctl watch %" PRIu64 "'", id);
		r = 1;
	} else if (r == E_TIMEOUT) {
		err_clear(e);
		(void)err_set(e, f.lost ? E_UNREACHABLE : E_TIMEOUT,
			      "gave up after %" PRIu64 " s %s; come back with 'colconvctl watch %" PRIu64 "'",
			      o->timeout_s, f.lost ? "without the daemon" : "before the job ended", id);
		r = e->code;
	}
	json_decref(f.job);
	sse_release(&f.sse);
	return r;
}
