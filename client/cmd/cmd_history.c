#include "base/str.h"
#include "cli.h"
#include "history.h"
#include "client/show/job.h"
#include "client/show/text.h"

/* Describes an event in words. */
static void
words_add(struct buf *b, const char *event, const json_t *data)
{
	if (str_eq(event, "state")) {
		buf_puts(b, job_str(data, "state"));
		if (job_whole(data, "attempt"))
			buf_printf(b, ", attempt %u", (unsigned)job_whole(data, "attempt"));
		if (*job_str(data, "reason"))
			buf_printf(b, " (%s): %s", job_str(data, "reason"), job_str(data, "message"));
	} else {
		buf_puts(b, job_str(data, str_eq(event, "log") ? "line" : "stage"));
	}
}

static int
on_event(void *ctx, const json_t *event, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	const struct cli *c = ctx;

	if (!event)
		return 0;
	if (c->json) {
		cli_print_json(event, JSON_COMPACT);
	} else {
		buf_printf(&b, "%s  %-6s ", job_str(event, "at"), job_str(event, "event"));
		words_add(&b, job_str(event, "event"), json_object_get(event, "data"));
		if (buf_failed(&b, e) < 0)
			return e->code;
		text_print(stdout, b.data);
		(void)fputc('\n', stdout);
	}
	(void)fflush(stdout);
	return 0;
}

int
cmd_history(struct cli *c, int argc, char **argv, struct err *e)
{
	bool follow = false;
	const struct option_row rows[] = {
		{"follow", 'f', NULL, option_flag, &follow, NULL, "follow the job until it ends"},
		CLI_OPTIONS(c),
	};
	uint64_t id;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	r = cli_id_parse(c, argv[0], &id, e);
	return r < 0 ? r : history_run(c, id, follow, on_event, c, e);
}
