#include <inttypes.h>
#include <unistd.h>

#include "base/str.h"
#include "cli.h"
#include "history.h"
#include "client/show/job.h"
#include "client/show/text.h"

struct logs {
	json_t *lines; /* read and not printed yet: the last, while it is not known how many will come */
	uint64_t tail; /* how many of them to keep; UINT64_MAX: all */
	bool live;     /* what comes now is new */
};

/* On a terminal made harmless, in a pipe as it came. */
static int
on_text(void *ctx _unused_, uint64_t offset _unused_, const char *data, size_t len, struct err *e _unused_)
{
	_cleanup_(buf_release) struct buf clean = BUF_INIT;
	size_t n;

	if (!isatty(STDOUT_FILENO)) {
		(void)fwrite(data, 1, len, stdout);
		return 0;
	}
	for (; len; data += n, len -= n) {
		for (n = 0; n < len && data[n] != '\n'; n++)
			;
		text_add(&clean, data, n);
		if (n < len) {
			buf_puts(&clean, "\n");
			n++;
		}
	}
	if (clean.len && !clean.failed)
		(void)fwrite(clean.data, 1, clean.len, stdout);
	return 0;
}

static void
lines_print(struct logs *l)
{
	const char *line;
	json_t *item;
	size_t i;

	json_array_foreach(l->lines, i, item) {
		line = json_string_value(item);
		(void)on_text(NULL, 0, line, strlen(line), NULL);
	}
	(void)json_array_clear(l->lines);
	(void)fflush(stdout);
}

/* The lines that /log would show. */
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
		if (!l->live && json_array_size(l->lines) > l->tail)
			(void)json_array_remove(l->lines, 0);
	}
	l->live = l->live || !event;
	if (l->live || l->tail == UINT64_MAX)
		lines_print(l);
	return 0;
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
	const struct http_request req = {.method = "GET", .path = path, .sink = on_text};
	struct http *h;
	int n, r = cli_http(c, &h, e);

	n = snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "/log", id);
	if (tail != UINT64_MAX)
		(void)snprintf(path + n, sizeof(path) - (size_t)n, "?tail=%" PRIu64, tail);
	return r < 0 ? r : http_perform(h, &req, e);
}

int
cmd_logs(struct cli *c, int argc, char **argv, struct err *e)
{
	uint64_t tail = UINT64_MAX, id;
	bool follow = false;
	const struct option_row rows[] = {
		{"follow", 'f', NULL, option_flag, &follow, NULL,
		 "go on with what comes, until the job ends"},
		{"tail", 'n', "N", option_number, &tail, NULL, "only the last N lines"},
		CLI_OPTIONS(c),
	};
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	r = cli_id_parse(argv[0], &id, e);
	if (r < 0)
		return r;
	return follow ? logs_follow(c, id, tail, e) : logs_print(c, id, tail, e);
}
