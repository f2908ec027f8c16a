/* GET /v1/jobs: the jobs that match a query, in pages. */
#include "api_private.h"

#include <inttypes.h>

#include "base/str.h"
#include "http/core/param.h"
#include "queue/list.h"

#define TEXT_MAX 4096

/* The parsed query. Its strings belong to MHD, which keeps them until the request ends. */
struct query {
	struct list_filter filter;
	uint64_t limit;
	uint64_t cursor;
	char *label_names[LIST_LABELS_MAX]; /* owned */
	unsigned seen;                      /* bits of parameters */
};

typedef int (*query_fn)(struct query *y, const char *value, struct err *e);

/* Parses names with commas between them. */
static int
state_set(struct query *y, const char *value, struct err *e)
{
	enum job_state state;
	char name[16];
	size_t n;

	for (;; value += n + 1) {
		n = strcspn(value, ",");
		(void)snprintf(name, sizeof(name), "%.*s", (int)MIN(n, sizeof(name)), value);
		if (!job_state_from_str(name, &state))
			return err_set(
				e, E_BAD_REQUEST,
				"unknown state '%.64s'; states are queued, running, done, failed, cancelled",
				value);
		y->filter.states[state] = true;
		if (!value[n])
			return 0;
	}
}

static int
model_set(struct query *y, const char *value, struct err *e)
{
	(void)e;
	y->filter.model = value;
	return 0;
}

static int
owner_set(struct query *y, const char *value, struct err *e)
{
	(void)e;
	y->filter.owner = value;
	return 0;
}

static int
reason_set(struct query *y, const char *value, struct err *e)
{
	y->filter.reason = value;
	if (!*value || value[strspn(value, "abcdefghijklmnopqrstuvwxyz_")])
		return err_set(e, E_BAD_REQUEST, "unknown reason '%.64s'", value);
	return 0;
}

static int
label_add(struct query *y, const char *value, struct err *e)
{
	struct list_filter *f = &y->filter;
	const char *eq = strchr(value, '=');
	char *name;

	if (!eq || eq == value || !eq[1])
		return err_set(e, E_BAD_REQUEST, "label must be NAME=VALUE, not '%.200s'", value);
	if (f->n_labels == LIST_LABELS_MAX)
		return err_set(e, E_BAD_REQUEST, "at most %d labels", LIST_LABELS_MAX);
	name = strndup(value, (size_t)(eq - value));
	if (!name)
		return err_no_memory(e);
	y->label_names[f->n_labels] = name;
	f->labels[f->n_labels].name = name;
	f->labels[f->n_labels++].value = eq + 1;
	return 0;
}

static int
limit_set(struct query *y, const char *value, struct err *e)
{
	return str_to_u64(value, 1, PAGE_LIMIT_MAX, "limit", &y->limit, e);
}

static int
cursor_set(struct query *y, const char *value, struct err *e)
{
	return str_to_u64(value, 0, PAGE_CURSOR_MAX, "cursor", &y->cursor, e);
}

static const struct {
	const char *name;
	query_fn fn;
	bool repeats;
} params[] = {
	{"state", state_set, false},   {"model", model_set, false}, {"label", label_add, true},
	{"reason", reason_set, false}, {"owner", owner_set, false}, {"limit", limit_set, false},
	{"cursor", cursor_set, false},
};

static int
query_add(void *arg, const char *key, const char *value, struct err *e)
{
	struct query *y = arg;
	unsigned i;

	if (strlen(value) > TEXT_MAX)
		return err_set(e, E_BAD_REQUEST, "%.64s must have at most %d bytes", key, TEXT_MAX);
	for (i = 0; i < ARRAY_LEN(params) && !str_eq(params[i].name, key); i++)
		;
	if (i == ARRAY_LEN(params))
		return err_set(e, E_BAD_REQUEST, "unknown parameter '%.64s'", key);
	if (!params[i].repeats && y->seen & 1u << i)
		return err_set(e, E_BAD_REQUEST, "%s is repeated", key);
	y->seen |= 1u << i;
	return params[i].fn(y, value, e);
}

struct page {
	const struct api *api;
	struct buf *text;
	const char *comma; /* before the next job */
};

static int
page_add(const struct job *job, void *arg, struct err *e)
{
	struct page *p = arg;

	buf_puts(p->text, p->comma);
	p->comma = ",";
	api_job_print(p->api, job, /*ahead=*/-1, p->text);
	return p->text->len >= PAGE_BYTES_MAX ? 1 : buf_failed(p->text, e);
}

static void
cursor_print(int64_t next, struct buf *b)
{
	if (next)
		buf_printf(b, "\"%" PRId64 "\"", next);
	else
		buf_puts(b, "null");
}

static void
query_release(struct query *y)
{
	size_t i;

	for (i = 0; i < y->filter.n_labels; i++)
		free(y->label_names[i]);
}

int
api_job_list(struct request *q, struct err *e)
{
	_cleanup_(query_release) struct query y = {.limit = PAGE_LIMIT_DEFAULT, .cursor = INT64_MAX};
	_cleanup_(buf_release) struct buf text = BUF_INIT;
	struct page p = {.api = api_of(q), .text = &text, .comma = ""};
	int64_t next;
	int r;

	r = params_each(q, query_add, &y, e);
	if (r < 0)
		return r;
	buf_puts(&text, "{\"jobs\":[");
	r = list_jobs(api_of(q)->spec.store, &y.filter, (int64_t)MIN(y.cursor, (uint64_t)INT64_MAX),
		      (int)y.limit, page_add, &p, &next, e);
	if (r < 0)
		return r;
	buf_puts(&text, "],\"next\":");
	cursor_print(next, &text);
	buf_puts(&text, "}");
	return reply_text_take(q, MHD_HTTP_OK, &text, "application/json", e);
}
