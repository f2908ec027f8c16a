#include "follow.h"

#include <inttypes.h>

#include "base/loop.h"
#include "base/str.h"
#include "client/show/bar.h"
#include "client/net/interrupt.h"
#include "client/show/job.h"
#include "client/show/log_line.h"
#include "client/net/sse.h"
#include "client/show/text.h"

#define RETRY_MS_MIN 250
#define RETRY_MS_MAX 5000

struct followed {
	struct follow *all;
	uint64_t id;
	char path[64];
	char header[48]; /* Last-Event-ID: where the next stream begins */
	struct http_request req;
	struct http_transfer *stream; /* NULL: not connected */
	int64_t retry_ms;             /* when to connect again */
	int64_t wait_ms;              /* pause between attempts to connect */
	struct bar bar;
	struct sse sse;
	struct log_held held;
	json_t *job; /* the newest document; NULL before the first */
	bool ended;  /* its end was printed */
};

struct follow {
	struct cli *c;
	const struct follow_options *options;
	int64_t deadline_ms; /* 0: none */
	struct board board;
	struct followed *jobs;
	size_t n;
	bool lost; /* the daemon went away after a connection */
};

/* ---- showing ---- */

static void
progress_show(struct followed *f, const json_t *progress, const char *stage)
{
	int64_t now = loop_now_ms();
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

/* Prints a job's new state, except the last one. */
static void
state_tell(struct followed *f, const json_t *job)
{
	const char *state = job_str(job, "state"), *reason = job_str(job, "reason");
	uint64_t attempt = job_whole(job, "attempt");
	char words[96];

	if (str_eq(state, "queued"))
		(void)job_waiting(job, words, sizeof(words));
	else
		(void)snprintf(words, sizeof(words), "%s", state);
	if (str_eq(state, "queued") && *reason)
		bar_note(&f->bar, "queued again (%s): %s", reason, job_str(job, "message"));
	else if (str_eq(state, "running") && attempt > 1)
		bar_note(&f->bar, "running, attempt %" PRIu64, attempt);
	else if (!f->all->board.live || !f->all->board.named)
		bar_note(&f->bar, "%s", words);
	bar_status(&f->bar, words);
}

static void
job_show(struct followed *f, const json_t *before, const json_t *job)
{
	bool running = str_eq(job_str(job, "state"), "running");

	if (!running && !job_ended(job))
		bar_drop(&f->bar); /* the stage was interrupted */
	if (!job_ended(job) && (!before || !str_eq(job_str(before, "state"), job_str(job, "state")) ||
				job_whole(before, "attempt") != job_whole(job, "attempt")))
		state_tell(f, job);
	if (running)
		progress_show(f, json_object_get(job, "progress"), job_str(job, "stage"));
}

/* Prints the held error line, unless the job's message repeats it. */
static void
held_show(struct followed *f)
{
	_cleanup_free_ char *words = log_held_end(&f->held, job_str(f->job, "message"));

	if (words && !f->all->options->quiet)
		bar_note(&f->bar, "%s", words);
}

static void
end_tell(struct followed *f)
{
	const struct follow_options *o = f->all->options;
	_cleanup_(buf_release) struct buf words = BUF_INIT;

	if (str_eq(job_str(f->job, "state"), "done"))
		bar_end(&f->bar, loop_now_ms());
	bar_drop(&f->bar);
	held_show(f);
	if (job_end_words(f->job, o->done, &words) || !o->quiet)
		bar_note(&f->bar, "%s", words.data ? words.data : "");
}

/* Prints an event for programs: one JSON object per line. */
static int
event_print(const char *event, json_t *data, struct err *e)
{
	json_t *line = json_pack("{s:s, s:O}", "event", event, "data", data);

	if (!line)
		return err_no_memory(e);
	cli_print_json(line, JSON_COMPACT);
	(void)fflush(stdout);
	json_decref(line);
	return 0;
}

static void
event_show(struct followed *f, const char *event, json_t *data)
{
	_cleanup_free_ char *words = NULL;

	if (str_eq(event, "stage")) {
		progress_show(f, NULL, job_str(data, "stage"));
	} else if (str_eq(event, "progress")) {
		progress_show(f, data, job_str(data, "stage"));
	} else if (str_eq(event, "log")) {
		log_held_line(&f->held, job_str(data, "line"), f->all->options->log, &words);
		if (words)
			bar_note(&f->bar, "%s", words);
	}
}

/* ---- events ---- */

/* Loads the document again after a change of state: the event has only a part of it. */
static json_t *
job_after(const json_t *job, const json_t *state)
{
	static const char *const members[] = {"state", "attempt", "reason", "message"};
	json_t *after = json_copy((json_t *)(uintptr_t)job);
	size_t i;

	for (i = 0; i < ARRAY_LEN(members); i++)
		(void)json_object_set(after, members[i], json_object_get(state, members[i]));
	(void)json_object_del(after, "progress");
	(void)json_object_del(after, "stage");
	(void)json_object_del(after, "waiting");
	return after;
}

/* Returns 1 when the job has ended. Its last event is a whole document. */
static int
job_take(struct followed *f, const char *event, json_t *data)
{
	const bool whole = str_eq(event, "job");
	json_t *before = f->job;

	if (!whole && (!str_eq(event, "state") || !before))
		return 0;
	f->job = whole ? json_incref(data) : job_after(before, data);
	if (!f->all->options->events && !f->all->options->quiet)
		job_show(f, before, f->job);
	json_decref(before);
	return whole && job_ended(data);
}

static int
on_event(void *ctx, const char *event, const char *text, size_t len, struct err *e)
{
	struct followed *f = ctx;
	const struct follow_options *o = f->all->options;
	json_t *data;
	int r;

	r = json_parse_answer(text, len, "an event of the daemon", E_INTERNAL, &data, e);
	if (r < 0)
		return r;
	if (f->all->lost)
		bar_note(&f->bar, "the daemon is back");
	f->all->lost = false;
	f->wait_ms = RETRY_MS_MIN;
	if (o->events)
		r = event_print(event, data, e);
	else if (!o->quiet)
		event_show(f, event, data);
	if (r == 0)
		r = job_take(f, event, data);
	json_decref(data);
	return r;
}

static int
on_bytes(void *ctx, uint64_t offset _unused_, const void *data, size_t len, struct err *e)
{
	struct followed *f = ctx;

	return sse_feed(&f->sse, data, len, on_event, f, e);
}

/* ---- streams ---- */

static int
stream_begin(struct followed *f, struct http *h, struct err *e)
{
	sse_reset(&f->sse);
	(void)snprintf(f->header, sizeof(f->header), "Last-Event-ID: %s", f->sse.last_id);
	f->req = (struct http_request){.method = "GET",
				       .path = f->path,
				       .header = *f->sse.last_id ? f->header : NULL,
				       .sink = on_bytes,
				       .stream = true,
				       .ctx = f};
	return http_begin(h, &f->req, &f->stream, e);
}

/* Errors that may be temporary: the daemon restarts, or is overloaded. A failed first connection is final. */
static bool
is_loss(int r)
{
	return r == 0 || r == E_UNREACHABLE || r == E_BUSY;
}

static int
stream_end(struct followed *f, struct err *e)
{
	int r = http_finish(&f->stream, e);

	if (r == 0 && !f->job)
		return err_set(e, E_INTERNAL, "%s at '%s' has no events", f->path, cli_server(f->all->c));
	if (f->job && job_ended(f->job) && r == 0) {
		f->ended = true;
		end_tell(f);
		return 0;
	}
	if (!f->job || !is_loss(r))
		return r;
	if (!f->all->lost)
		bar_note(&f->bar, "lost the daemon%s%s; waiting for it", e->code ? ": " : "", e->msg);
	f->all->lost = true;
	err_clear(e);
	f->retry_ms = loop_now_ms() + f->wait_ms;
	f->wait_ms = MIN(2 * f->wait_ms, RETRY_MS_MAX);
	return 0;
}

/* Opens the streams that are due. *ret is when the next one is due, or the deadline; 0: neither. */
static int
streams_begin(struct follow *all, struct http *h, int64_t *ret, struct err *e)
{
	struct followed *f;
	int r = 0;

	*ret = all->deadline_ms;
	for (f = all->jobs; r == 0 && f < all->jobs + all->n; f++) {
		if (f->ended || f->stream)
			continue;
		if (loop_now_ms() >= f->retry_ms)
			r = stream_begin(f, h, e);
		else
			*ret = *ret ? MIN(*ret, f->retry_ms) : f->retry_ms;
	}
	return r;
}

static size_t
running_count(const struct follow *all)
{
	size_t i, n = 0;

	for (i = 0; i < all->n; i++)
		n += !all->jobs[i].ended;
	return n;
}

static int
follow_run(struct follow *all, const struct interrupt *stop, struct err *e)
{
	struct http_transfer *t;
	int64_t until_ms;
	struct http *h;
	int r;

	r = cli_http(all->c, &h, e);
	if (r < 0)
		return r;
	http_stop_on(h, stop->fd);
	while (r == 0 && running_count(all)) {
		r = streams_begin(all, h, &until_ms, e);
		board_refresh(&all->board, loop_now_ms(), &until_ms);
		if (r == 0)
			r = http_wait(h, until_ms, &t, e);
		if (r == 0 && t)
			r = stream_end(http_request(t)->ctx, e);
		else if (r == 0 && all->deadline_ms && loop_now_ms() >= all->deadline_ms)
			r = err_set(e, E_TIMEOUT, "timed out");
	}
	http_stop_on(h, -1);
	return r;
}

/* The command to come back with, "colconvctl watch 42 43", with the jobs that still run. */
static void
come_back_add(const struct follow *all, struct buf *ret)
{
	size_t i;

	buf_printf(ret, "come back with 'colconvctl %s", all->options->command);
	for (i = 0; i < all->n; i++)
		if (!all->jobs[i].ended)
			buf_printf(ret, " %" PRIu64, all->jobs[i].id);
	buf_puts(ret, "'");
}

/* Tells the user how to continue when watching ends before the jobs do. */
static int
cut_short(struct follow *all, int r, struct err *e)
{
	_cleanup_(buf_release) struct buf words = BUF_INIT;
	const bool many = running_count(all) > 1;

	if (r != E_CANCELLED && r != E_TIMEOUT)
		return r;
	err_clear(e);
	all->c->id = 0; /* the words below say what to do about the jobs */
	come_back_add(all, &words);
	if (buf_failed(&words, e) < 0)
		return e->code;
	if (r == E_CANCELLED) {
		(void)fprintf(stderr, "colconvctl: detached; %s; %s\n",
			      many ? "the jobs continue" : "the job continues", words.data);
		return 1;
	}
	return err_set(e, all->lost ? E_UNREACHABLE : E_TIMEOUT, "gave up after %" PRIu64 " s %s; %s",
		       all->options->timeout_s,
		       all->lost ? "without the daemon"
		       : many    ? "before the jobs ended"
				 : "before the job ended",
		       words.data);
}

static void
followed_init(struct followed *f, struct follow *all, uint64_t id)
{
	char prefix[32];

	*f = (struct followed){.all = all, .id = id, .sse = SSE_INIT, .wait_ms = RETRY_MS_MIN};
	(void)snprintf(f->path, sizeof(f->path), "/v1/jobs/%" PRIu64 "/events", id);
	(void)snprintf(prefix, sizeof(prefix), "job %" PRIu64, id);
	bar_init(&f->bar, &all->board, prefix);
}

static void
followed_release(struct followed *f)
{
	(void)http_finish(&f->stream, NULL);
	bar_drop(&f->bar);
	bar_release(&f->bar);
	json_decref(f->job);
	free(f->held.words);
	sse_release(&f->sse);
}

int
follow(struct cli *c, const struct follow_options *o, const uint64_t *ids, size_t n, json_t *ret,
       struct err *e)
{
	_cleanup_(interrupt_close) struct interrupt stop = INTERRUPT_INIT;
	_cleanup_free_ struct followed *jobs = calloc(n, sizeof(*jobs));
	struct follow all = {.c = c, .options = o, .jobs = jobs, .n = n};
	size_t i;
	int r;

	if (!jobs)
		return err_no_memory(e);
	board_init(&all.board, stderr);
	all.board.named = n > 1;
	all.deadline_ms = o->timeout_s ? loop_now_ms() + (int64_t)MIN(o->timeout_s, 1u << 30) * 1000 : 0;
	for (i = 0; i < n; i++)
		followed_init(&jobs[i], &all, ids[i]);
	r = interrupt_open(&stop, INTERRUPT_CTRL_C, e);
	if (r == 0)
		r = follow_run(&all, &stop, e);
	for (i = 0; r == 0 && i < n; i++)
		(void)json_array_append(ret, jobs[i].job);
	for (i = 0; i < n; i++)
		followed_release(&jobs[i]);
	return cut_short(&all, r, e);
}
