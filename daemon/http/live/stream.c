#include "stream.h"

#include <inttypes.h>

#include "base/str.h"
#include "http/core/reply.h"
#include "http/core/server.h"
#include "queue/store.h"

#define STREAM_MAGIC 0x73747265u
#define BLOCK 2048
#define PAGE 32 /* events read from the queue at a time */

/* Limit of all backlogs together. When it is reached, each stream that gets an event falls behind. */
#define BACKLOGS_MAX (UINT64_C(32) << 20)

struct stream {
	unsigned magic;
	LIST_ENTRY(stream) entry;
	struct streams *all;
	struct server *server;
	struct MHD_Connection *conn;
	struct conn *from;
	int64_t job;   /* 0: all */
	int64_t after; /* number of the last event in `out` */
	struct buf out;
	size_t counted; /* bytes of `out` in streams.bytes */
	bool live;
	bool suspended;
	bool closed; /* ends when `out` was sent */
};

static void
stream_resume(struct stream *st)
{
	if (!st->suspended)
		return;
	st->suspended = false;
	MHD_resume_connection(st->conn);
	server_wake(st->server);
}

/* Updates streams.bytes. Call after each change of `out`. */
static void
bytes_count(struct stream *st)
{
	st->all->bytes += st->out.cap - st->counted;
	st->counted = st->out.cap;
}

static void
stream_add(struct stream *st, const struct buf *text)
{
	if (st->closed)
		return;
	buf_add(&st->out, text->data, text->len);
	st->out.failed |= text->failed;
	bytes_count(st);
	if (st->out.len > st->all->spec->stream_backlog_max || st->all->bytes > BACKLOGS_MAX)
		st->live = false;
	stream_resume(st);
}

static void
stream_close(struct stream *st)
{
	st->closed = true;
	stream_resume(st);
}

/* Appends an event without a number. */
static void
text_write(struct buf *b, const char *event, const json_t *data)
{
	_cleanup_free_ char *text = json_text(data, REPLY_JSON);

	buf_printf(b, "event: %s\ndata: %s\n\n", event, text ? text : "");
	b->failed |= !text;
}

static void
event_write(struct buf *b, const struct event *ev)
{
	buf_printf(b, "id: %" PRId64 "\nevent: %s\ndata: ", ev->id, ev->name);
	event_data_print(ev, b);
	buf_puts(b, "\n\n");
}

static void
job_write(struct streams *ss, struct buf *b, const struct job *job)
{
	buf_printf(b, "id: %" PRId64 "\nevent: job\ndata: ", job->event);
	ss->spec->print(ss->spec->arg, job, b);
	buf_puts(b, "\n\n");
}

/* Appends the job's document. If the job has ended, the stream ends after it. */
static int
job_begin(struct stream *st, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	int r = store_job_get(st->all->spec->store, st->job, &job, e);

	if (r < 0)
		return r;
	st->after = job.event;
	job_write(st->all, &st->out, &job);
	st->closed = job_state_ended(job.state);
	return 0;
}

static int
all_begin(struct stream *st, struct err *e)
{
	int r = event_newest(st->all->spec->store, &st->after, e);

	if (r == 0)
		buf_printf(&st->out, "id: %" PRId64 "\nevent: ready\ndata: {}\n\n", st->after);
	return r;
}

struct page {
	struct stream *st;
	int n;
};

static int
page_add(const struct event *ev, void *arg, struct err *e)
{
	struct page *p = arg;

	(void)e;
	p->n++;
	p->st->after = ev->id;
	event_write(&p->st->out, ev);
	return 0;
}

/*
 * Reads the next events from the queue. After the last one the stream is live, or ends if its job has ended.
 */
static int
page_load(struct stream *st, struct err *e)
{
	struct store *store = st->all->spec->store;
	_cleanup_(job_release) struct job job = {.id = 0};
	struct page p = {.st = st};
	int r;

	r = event_list(store, st->job ? EVENTS_JOB : EVENTS_ALL_BUT_LOGS, st->job, st->after, PAGE, page_add,
		       &p, e);
	if (r < 0 || p.n == PAGE)
		return r;
	st->live = true;
	if (!st->job)
		return 0;
	r = store_job_get(store, st->job, &job, e);
	if (r < 0 || !job_state_ended(job.state))
		return r;
	job_write(st->all, &st->out, &job);
	st->closed = true;
	return 0;
}

static void
page_next(struct stream *st)
{
	const struct live_spec *spec = st->all->spec;
	struct err e = ERR_INIT;

	if (page_load(st, &e) == 0)
		return;
	st->closed = true;
	if (e.code != E_NOT_FOUND) /* not an error: the job was deleted in the meantime */
		spec->failed(spec->arg, &e);
}

static ssize_t
stream_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct stream *st = arg;
	size_t n;

	(void)pos;
	CHECK_OBJ(st, STREAM_MAGIC);
	if (st->out.len == 0 && !st->closed && !st->live)
		page_next(st);
	if (st->out.failed || (st->out.len == 0 && st->closed))
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (st->out.len == 0) {
		buf_release(&st->out);
		bytes_count(st);
		st->suspended = true;
		MHD_suspend_connection(st->conn);
		return 0;
	}
	n = MIN(max, st->out.len);
	memcpy(buf, st->out.data, n);
	buf_consume(&st->out, n);
	bytes_count(st);
	return (ssize_t)n;
}

static void
stream_free(void *arg)
{
	struct stream *st = arg;

	CHECK_OBJ(st, STREAM_MAGIC);
	conn_watch_peer(st->from, NULL, NULL);
	LIST_REMOVE(st, entry);
	st->all->n--;
	buf_release(&st->out);
	bytes_count(st);
	OBJ_FREE(st);
}

static void
comment_add(struct stream *st)
{
	static char text[] = ":\n\n";
	const struct buf comment = {.data = text, .len = strlen(text)};

	if (st->suspended)
		stream_add(st, &comment);
}

/* The client may continue to read; if it does not, the library notices at the next write. */
static void
peer_left(void *arg, uint32_t events)
{
	struct stream *st = arg;

	(void)events;
	CHECK_OBJ(st, STREAM_MAGIC);
	comment_add(st);
}

static void
heartbeat_due(void *arg)
{
	struct streams *ss = arg;
	struct stream *st;

	LIST_FOREACH(st, &ss->list, entry)
		comment_add(st);
	loop_timer_set(ss->spec->loop, &ss->heartbeat, ss->spec->heartbeat_ms);
}

void
streams_init(struct streams *ss, const struct live_spec *spec)
{
	*ss = (struct streams){
		.spec = spec,
		.heartbeat = {.fn = heartbeat_due, .arg = ss},
	};
	LIST_INIT(&ss->list);
	loop_timer_set(spec->loop, &ss->heartbeat, spec->heartbeat_ms);
}

void
streams_release(struct streams *ss)
{
	assert(LIST_EMPTY(&ss->list));
	loop_timer_stop(&ss->heartbeat);
}

/* True when no more than replay_max events follow this one. In a stream of all jobs, log lines count too. */
static int
replay_check(const struct stream *st, int64_t after, bool *ret, struct err *e)
{
	const struct live_spec *spec = st->all->spec;
	int64_t newest, n;
	int r;

	r = event_newest(spec->store, &newest, e);
	if (r < 0)
		return r;
	n = newest - after;
	if (st->job && n > spec->replay_max)
		r = event_count(spec->store, st->job, after, spec->replay_max + 1, &n, e);
	*ret = after <= newest && n <= spec->replay_max;
	return r;
}

static int
stream_begin(struct stream *st, int64_t after, struct err *e)
{
	bool replay = false;
	int r = after == LIVE_SNAPSHOT ? 0 : replay_check(st, after, &replay, e);

	if (r < 0)
		return r;
	if (replay) {
		st->after = after;
		return 0;
	}
	st->live = true;
	return st->job ? job_begin(st, e) : all_begin(st, e);
}

int
stream_reply(struct streams *ss, struct request *q, int64_t job, int64_t after, struct err *e)
{
	struct stream *st;
	int r;

	st = calloc(1, sizeof(*st));
	if (!st)
		return err_no_memory(e);
	*st = (struct stream){.magic = STREAM_MAGIC,
			      .all = ss,
			      .server = q->server,
			      .from = q->from,
			      .conn = q->conn,
			      .job = job};
	LIST_INSERT_HEAD(&ss->list, st, entry);
	ss->n++;
	r = stream_begin(st, after, e);
	if (r < 0) {
		stream_free(st);
		return r;
	}
	request_watch_peer(q, peer_left, st);
	return reply_reader_take(q, MHD_SIZE_UNKNOWN, BLOCK, stream_read, st, stream_free,
				 "text/event-stream", e);
}

static bool
stream_wants(const struct stream *st, const struct event *ev)
{
	if (!st->live || ev->id <= st->after)
		return false;
	return st->job ? st->job == ev->job : !str_eq(ev->name, EVENT_LOG);
}

void
streams_event(struct streams *ss, const struct event *ev)
{
	struct buf text = BUF_INIT;
	struct stream *st;

	LIST_FOREACH(st, &ss->list, entry) {
		if (!stream_wants(st, ev))
			continue;
		if (!text.len)
			event_write(&text, ev);
		st->after = ev->id;
		stream_add(st, &text);
	}
	buf_release(&text);
}

void
streams_send(struct streams *ss, int64_t job, const char *event, const json_t *data)
{
	struct buf text = BUF_INIT;
	struct stream *st;

	text_write(&text, event, data);
	LIST_FOREACH(st, &ss->list, entry)
		if (st->live && (!st->job || st->job == job))
			stream_add(st, &text);
	buf_release(&text);
}

bool
streams_watched(const struct streams *ss, int64_t job)
{
	const struct stream *st;

	LIST_FOREACH(st, &ss->list, entry)
		if (st->job == job)
			return true;
	return false;
}

void
streams_job_ended(struct streams *ss, const struct job *job)
{
	struct buf text = BUF_INIT;
	struct stream *st;

	job_write(ss, &text, job);
	LIST_FOREACH(st, &ss->list, entry) {
		if (st->job != job->id || !st->live)
			continue;
		stream_add(st, &text);
		stream_close(st);
	}
	buf_release(&text);
}

void
streams_job_removed(struct streams *ss, int64_t job)
{
	struct buf text = BUF_INIT;
	struct stream *st;

	buf_printf(&text, "event: removed\ndata: {\"job\":%" PRId64 "}\n\n", job);
	LIST_FOREACH(st, &ss->list, entry) {
		if (st->job && st->job != job)
			continue;
		stream_add(st, &text);
		/*
		 * Drop it for a slow reader: without a number it cannot be read from the queue later, and
		 * keeping it would need unlimited memory.
		 */
		if (st->job || st->out.len > 2 * ss->spec->stream_backlog_max)
			stream_close(st);
	}
	buf_release(&text);
}

void
streams_close(struct streams *ss)
{
	struct stream *st;

	LIST_FOREACH(st, &ss->list, entry)
		stream_close(st);
}
