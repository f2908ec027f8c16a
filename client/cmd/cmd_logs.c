#include <inttypes.h>
#include <unistd.h>

#include "base/str.h"
#include "cli.h"
#include "history.h"
#include "client/show/job.h"
#include "client/show/text.h"

#define LOG_MAX (1ull << 30)   /* longest log that is read; the daemon's own limit is far lower */
#define KEPT_MAX (64ull << 20) /* bytes of the last lines */

struct logs {
	json_t *lines; /* read and not printed: the last lines so far, until the end of the log is known */
	uint64_t tail; /* how many of them to keep; UINT64_MAX: all */
	uint64_t kept; /* bytes of `lines` */
	bool live;     /* all old lines are read; the lines from now on are new */
};

static int
on_text(void *ctx, uint64_t offset, const void *data, size_t len, struct err *e)
{
	if (offset + len > LOG_MAX)
		return err_set(e, E_TOO_LARGE, "the log is longer than %llu bytes; see its end with --tail N",
			       LOG_MAX);
	return text_stream_add(ctx, data, len, e);
}

static int
lines_print(struct logs *l, struct err *e)
{
	struct text_stream out = {.out = stdout};
	const char *line;
	json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach(l->lines, i, item) {
		line = json_string_value(item);
		if (r == 0)
			r = text_stream_add(&out, line, strlen(line), e);
	}
	(void)json_array_clear(l->lines);
	(void)fflush(stdout);
	l->kept = 0;
	return r;
}

/* Formats an event as /v1/jobs/ID/log would. */
static int
on_event(void *ctx, const json_t *event, struct err *e)
{
	_cleanup_free_ char *line = NULL;
	struct logs *l = ctx;

	if (event && !str_eq(job_str(event, "event"), "log"))
		return 0;
	if (event) {
		line = str_printf("%s %s\n", job_str(event, "at"),
				  job_str(json_object_get(event, "data"), "line"));
		if (!line || json_array_append_new(l->lines, json_string(line)) < 0)
			return err_no_memory(e);
		l->kept += strlen(line);
		if (!l->live && json_array_size(l->lines) > l->tail) {
			l->kept -= strlen(json_string_value(json_array_get(l->lines, 0)));
			(void)json_array_remove(l->lines, 0);
		}
		if (l->kept > KEPT_MAX)
			return err_set(e, E_TOO_LARGE,
				       "these lines are longer than %llu bytes; ask for fewer by --tail N",
				       KEPT_MAX);
	}
	l->live = l->live || !event;
	return l->live || l->tail == UINT64_MAX ? lines_print(l, e) : 0;
}

static int
logs_follow(struct cli *c, uint64_t id, uint64_t tail, struct err *e)
{
	struct logs l = {.lines = json_array(), .tail = tail};
	int r = history_run(c, id, /*live=*/true, on_event, &l, e);

	json_decref(l.lines);
	return r;
}

static int
logs_print(struct cli *c, uint64_t id, uint64_t tail, struct err *e)
{
	char path[96];
	struct text_stream out = {.out = stdout};
	const struct http_request req = {.method = "GET", .path = path, .sink = on_text, .ctx = &out};
	struct http *h;
	int n, r = cli_http(c, &h, e);

	n = snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "/log", id);
	if (tail != UINT64_MAX)
		(void)snprintf(path + n, sizeof(path) - (size_t)n, "?tail=%" PRIu64, tail);
	if (r == 0)
		r = http_perform(h, &req, e);
	return r < 0 ? r : text_stream_end(&out, e);
}

int
cmd_logs(struct cli *c, int argc, char **argv, struct err *e)
{
	uint64_t tail = UINT64_MAX, id;
	bool follow = false;
	const struct option_row rows[] = {
		{"follow", 'f', NULL, option_flag, &follow, NULL, "follow the job until it ends"},
		{"tail", 'n', "N", option_number, &tail, NULL, "only the last N lines"},
		CLI_OPTIONS(c),
	};
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	if (c->json)
		return err_set(e, E_USAGE,
			       "a log is plain text and has no JSON form; 'colconvctl history %s --json' "
			       "prints the events",
			       argv[0]);
	r = cli_id_parse(c, argv[0], &id, e);
	if (r < 0)
		return r;
	return follow ? logs_follow(c, id, tail, e) : logs_print(c, id, tail, e);
}
