#include "event.h"

#include <inttypes.h>

#include "base/str.h"
#include "db.h"

static const enum db_stmt lists[] = {
	[EVENTS_ALL] = STMT_EVENT_LIST,
	[EVENTS_ALL_BUT_LOGS] = STMT_EVENT_LIST_BUT_LOGS,
	[EVENTS_JOB] = STMT_EVENT_LIST_JOB,
	[EVENTS_JOB_LOG] = STMT_EVENT_LIST_JOB_LOG,
};

static int
event_insert(struct store *s, int64_t job, int64_t at, const char *name, const char *data, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_EVENT_ADD);

	if (!data)
		return err_no_memory(e);
	db_bind_int(st, 1, job);
	db_bind_int(st, 2, at);
	db_bind_str(st, 3, name);
	db_bind_str(st, 4, data);
	return db_run(s, st, NULL, e);
}

int
event_add(struct store *s, int64_t job, int64_t at, const char *name, const json_t *data, struct err *e)
{
	_cleanup_free_ char *text = json_text(data, JSON_COMPACT);

	return event_insert(s, job, at, name, text, e);
}

int
event_add_state(struct store *s, int64_t job, int64_t at, enum job_state state, int attempt,
		const char *reason, const char *message, struct err *e)
{
	_cleanup_(buf_release) struct buf text = BUF_INIT;

	buf_printf(&text, "{\"state\":\"%s\",\"attempt\":%d,\"reason\":", job_state_to_str(state), attempt);
	json_print_str(&text, reason);
	buf_puts(&text, ",\"message\":");
	json_print_str(&text, message);
	buf_puts(&text, "}");
	return event_insert(s, job, at, EVENT_STATE, text.failed ? NULL : text.data, e);
}

int
event_list(struct store *s, enum event_which which, int64_t job, int64_t after, int limit, event_fn fn,
	   void *arg, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, lists[which]);
	int r;

	db_bind_int(st, 1, after);
	db_bind_int(st, 2, limit);
	if (which == EVENTS_JOB || which == EVENTS_JOB_LOG)
		db_bind_int(st, 3, job);
	while ((r = db_step(s, st, e)) == 1) {
		const struct event ev = {
			.id = sqlite3_column_int64(st, 0),
			.job = sqlite3_column_int64(st, 1),
			.at = sqlite3_column_int64(st, 2),
			.name = db_column_str(st, 3),
			.data = db_column_str(st, 4),
		};

		r = fn(&ev, arg, e);
		if (r < 0)
			return r;
	}
	return r;
}

/* Reads the number that a one-row statement returns. The caller resets the statement. */
static int
number_get(struct store *s, sqlite3_stmt *st, int64_t *ret, struct err *e)
{
	int r = db_step(s, st, e);

	if (r < 0)
		return r;
	*ret = sqlite3_column_int64(st, 0);
	return 0;
}

int
event_newest(struct store *s, int64_t *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_EVENT_NEWEST);

	return number_get(s, st, ret, e);
}

int
event_count(struct store *s, int64_t job, int64_t after, int64_t max, int64_t *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_EVENT_COUNT);

	db_bind_int(st, 1, job);
	db_bind_int(st, 2, after);
	db_bind_int(st, 3, max);
	return number_get(s, st, ret, e);
}

int
event_log_size(struct store *s, int64_t job, int64_t *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_EVENT_LOG_SIZE);

	db_bind_int(st, 1, job);
	db_bind_int(st, 2, EVENT_LOG_EXTRA);
	return number_get(s, st, ret, e);
}

int
event_log_tail(struct store *s, int64_t job, int64_t lines, int64_t *ret, struct err *e)
{
	_cleanup_stmt_ sqlite3_stmt *st = db_stmt(s, STMT_EVENT_LOG_TAIL);

	db_bind_int(st, 1, job);
	db_bind_int(st, 2, lines);
	return number_get(s, st, ret, e);
}

void
event_data_print(const struct event *ev, struct buf *b)
{
	buf_printf(b, "{\"job\":%" PRId64 ",%s", ev->job, *ev->data ? ev->data + 1 : "}");
}

int
event_to_json(const struct event *ev, json_t **ret, struct err *e)
{
	json_t *data, *j;
	char at[32];
	int r;

	r = json_parse(ev->data, strlen(ev->data), "a row of the queue", E_BAD_DATABASE, &data, e);
	if (r < 0)
		return r;
	(void)json_object_set_new(data, "job", json_integer(ev->job));
	j = json_pack("{s:I, s:I, s:s, s:s, s:o}", "id", (json_int_t)ev->id, "job", (json_int_t)ev->job, "at",
		      str_time(ev->at, at, sizeof(at)), "event", ev->name, "data", data);
	if (!j)
		return err_no_memory(e);
	*ret = j;
	return 0;
}
