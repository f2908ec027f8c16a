#include "stream.h"

#include <inttypes.h>

#include "api.h"
#include "queue/job.h"

#define STREAM_MAGIC 0x73747265u
#define BLOCK 2048

struct stream {
	unsigned magic;
	LIST_ENTRY(stream) entry;
	struct streams *all;
	struct MHD_Connection *conn;
	int64_t job;
	struct buf out;
	bool suspended;
	bool closed; /* ends after what `out` holds */
};

static void
stream_resume(struct stream *st)
{
	if (!st->suspended)
		return;
	st->suspended = false;
	MHD_resume_connection(st->conn);
	server_wake(st->all->server);
}

static void
stream_add(struct stream *st, const struct buf *text)
{
	if (st->closed)
		return;
	buf_add(&st->out, text->data, text->len);
	if (st->out.failed || text->failed || st->out.len > st->all->server->spec.stream_backlog_max)
		st->closed = true;
	stream_resume(st);
}

static void
stream_close(struct stream *st)
{
	st->closed = true;
	stream_resume(st);
}

static ssize_t
stream_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct stream *st = arg;
	size_t n;

	(void)pos;
	CHECK_OBJ(st, STREAM_MAGIC);
	if (st->out.failed || (st->out.len == 0 && st->closed))
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (st->out.len == 0) {
		buf_release(&st->out);
		st->suspended = true;
		MHD_suspend_connection(st->conn);
		return 0;
	}
	n = MIN(max, st->out.len);
	memcpy(buf, st->out.data, n);
	buf_consume(&st->out, n);
	return (ssize_t)n;
}

static void
stream_free(void *arg)
{
	struct stream *st = arg;

	CHECK_OBJ(st, STREAM_MAGIC);
	LIST_REMOVE(st, entry);
	st->all->n--;
	buf_release(&st->out);
	st->magic = 0;
	free(st);
}

static void
heartbeat_due(void *arg)
{
	struct streams *ss = arg;
	struct buf comment = BUF_INIT;
	struct stream *st;

	buf_puts(&comment, ":\n\n");
	LIST_FOREACH(st, &ss->list, entry)
		stream_add(st, &comment);
	buf_release(&comment);
	loop_timer_set(ss->server->spec.loop, &ss->heartbeat, ss->server->spec.heartbeat_ms);
}

void
streams_init(struct streams *ss, struct server *server)
{
	*ss = (struct streams){
		.server = server,
		.heartbeat = {.fn = heartbeat_due, .arg = ss},
		.id_last = (uint64_t)job_now() * 1000,
	};
	LIST_INIT(&ss->list);
	loop_timer_set(server->spec.loop, &ss->heartbeat, server->spec.heartbeat_ms);
}

void
streams_release(struct streams *ss)
{
	assert(LIST_EMPTY(&ss->list));
	loop_timer_stop(&ss->heartbeat);
}

static void
event_write(struct streams *ss, struct buf *b, const char *event, const json_t *data)
{
	char *text = json_dumps(data, REPLY_JSON);

	if (!text) {
		b->failed = true;
		return;
	}
	buf_printf(b, "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n", ++ss->id_last, event, text);
	free(text);
}

int
stream_reply_take(struct streams *ss, struct request *q, json_t *data, bool ended, struct err *e)
{
	const unsigned max = ss->server->spec.streams_max;
	struct MHD_Response *response;
	struct stream *st;
	int r;

	if (ss->n == max) {
		json_decref(data);
		return err_set(e, E_BUSY, "%u streams of events are open, which is the limit", max);
	}
	st = calloc(1, sizeof(*st));
	if (!st) {
		json_decref(data);
		return err_set(e, E_NO_MEMORY, "memory ran out");
	}
	*st = (struct stream){.magic = STREAM_MAGIC, .all = ss, .conn = q->conn, .job = q->id, .closed = ended};
	event_write(ss, &st->out, "job", data);
	json_decref(data);
	LIST_INSERT_HEAD(&ss->list, st, entry);
	ss->n++;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, stream_read, st, stream_free);
	if (!response)
		stream_free(st);
	r = reply_set_take(q, MHD_HTTP_OK, response, "text/event-stream", e);
	reply_header(q, "Cache-Control", "no-store");
	return r;
}

void
streams_send(struct streams *ss, int64_t job, const char *event, const json_t *data, bool ended)
{
	struct buf text = BUF_INIT;
	struct stream *st;

	event_write(ss, &text, event, data);
	LIST_FOREACH(st, &ss->list, entry) {
		if (st->job != job)
			continue;
		stream_add(st, &text);
		if (ended)
			stream_close(st);
	}
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
streams_close(struct streams *ss)
{
	struct stream *st;

	LIST_FOREACH(st, &ss->list, entry)
		stream_close(st);
}
