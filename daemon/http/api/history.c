/* The routes of a job's past: its events in pages, and its log as text. */
#include "api_private.h"

#include <inttypes.h>

#include "base/str.h"
#include "http/core/param.h"

#define LOG_MAGIC 0x6c6f6772u
#define BLOCK 8192
#define LINES 16 /* lines read from the queue at a time; an unread log keeps at most so many in memory */
#define TAIL_ALL UINT64_MAX
#define TAIL_MAX 1000000

/* One event more is read than is shown, to know whether another page follows. */
struct page {
	json_t *events;
	size_t limit;
	int64_t last;
	bool more;
};

static int
page_add(const struct event *ev, void *arg, struct err *e)
{
	struct page *p = arg;
	json_t *j;
	int r;

	if (json_array_size(p->events) == p->limit) {
		p->more = true;
		return 0;
	}
	p->last = ev->id;
	r = event_to_json(ev, &j, e);
	if (r < 0)
		return r;
	return json_array_append_new(p->events, j) < 0 ? err_no_memory(e) : 0;
}

static int
page_reply_take(struct request *q, const struct page *p, struct err *e)
{
	char next[24];

	(void)snprintf(next, sizeof(next), "%" PRId64, p->last);
	return reply_json_take(q, MHD_HTTP_OK,
			       json_pack("{s:o, s:s?}", "events", p->events, "next", p->more ? next : NULL),
			       e);
}

/* With ?wait=, an empty page waits for its first event. */
static int
history(struct request *q, uint64_t after, uint64_t limit, uint64_t seconds, struct err *e)
{
	struct page p = {.events = json_array(), .limit = (size_t)limit};
	int r;

	r = event_list(api_of(q)->spec.store, EVENTS_JOB, q->id, (int64_t)after, (int)limit + 1, page_add, &p,
		       e);
	if (r == 0 && (json_array_size(p.events) || !seconds || q->waited))
		return page_reply_take(q, &p, e);
	json_decref(p.events);
	return r < 0 ? r : live_wait(api_of(q)->live, q, (int64_t)after, seconds, e);
}

int
api_job_history(struct request *q, struct err *e)
{
	uint64_t after = 0, limit = PAGE_LIMIT_DEFAULT, seconds = 0;
	const struct param params[] = {
		{"after", 0, INT64_MAX, &after},
		{"limit", 1, PAGE_LIMIT_MAX, &limit},
		{"wait", 0, LIVE_WAIT_MAX, &seconds},
	};
	_cleanup_(job_release) struct job job = {.id = 0};
	int r;

	r = params_get(q, params, ARRAY_LEN(params), e);
	if (r == 0)
		r = store_job_get(api_of(q)->spec.store, q->id, &job, e);
	return r < 0 ? r : history(q, after, limit, seconds, e);
}

/*
 * A log that is being sent. It is read in small parts: the worker decides its length, and the client its
 * speed.
 */
struct log {
	unsigned magic;
	struct api *api;
	int64_t job;
	int64_t after;
	struct buf out;
};

static int
line_add(const struct event *ev, void *arg, struct err *e)
{
	struct log *l = arg;
	const char *line = "";
	json_t *data;
	char at[32];
	int r;

	r = json_parse(ev->data, strlen(ev->data), "a row of the queue", E_BAD_DATABASE, &data, e);
	if (r < 0)
		return r;
	r = json_get_str(data, "", "line", JSON_REQUIRED, E_BAD_DATABASE, &line, e);
	buf_printf(&l->out, "%s %s\n", str_time(ev->at, at, sizeof(at)), line);
	json_decref(data);
	l->after = ev->id;
	return r;
}

static ssize_t
log_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct log *l = arg;
	const struct api_spec *spec = &l->api->spec;
	struct err e = ERR_INIT;
	size_t n;

	(void)pos;
	CHECK_OBJ(l, LOG_MAGIC);
	if (l->out.len == 0 &&
	    event_list(spec->store, EVENTS_JOB_LOG, l->job, l->after, LINES, line_add, l, &e) < 0)
		spec->failed(spec->arg, &e);
	if (e.code || l->out.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (l->out.len == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = MIN(max, l->out.len);
	memcpy(buf, l->out.data, n);
	buf_consume(&l->out, n);
	return (ssize_t)n;
}

static void
log_free(void *arg)
{
	struct log *l = arg;

	CHECK_OBJ(l, LOG_MAGIC);
	buf_release(&l->out);
	OBJ_FREE(l);
}

static int
log_reply(struct request *q, int64_t after, struct err *e)
{
	struct log *l = calloc(1, sizeof(*l));

	if (!l)
		return err_no_memory(e);
	*l = (struct log){.magic = LOG_MAGIC, .api = api_of(q), .job = q->id, .after = after};
	return reply_reader_take(q, MHD_SIZE_UNKNOWN, BLOCK, log_read, l, log_free,
				 "text/plain; charset=utf-8", e);
}

int
api_job_log(struct request *q, struct err *e)
{
	struct store *store = api_of(q)->spec.store;
	uint64_t tail = TAIL_ALL;
	const struct param params[] = {{"tail", 0, TAIL_MAX, &tail}};
	_cleanup_(job_release) struct job job = {.id = 0};
	int64_t after = 0;
	int r;

	r = params_get(q, params, ARRAY_LEN(params), e);
	if (r == 0)
		r = store_job_get(store, q->id, &job, e);
	if (r == 0 && tail != TAIL_ALL)
		r = event_log_tail(store, q->id, (int64_t)tail, &after, e);
	return r < 0 ? r : log_reply(q, after, e);
}
