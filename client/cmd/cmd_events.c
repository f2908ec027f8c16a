#include <inttypes.h>
#include <unistd.h>

#include "base/str.h"
#include "cli.h"
#include "client/show/job.h"
#include "client/net/sse.h"
#include "client/show/text.h"

#define RETRY_US 500000

struct events {
	const struct cli *c;
	struct sse sse;
	bool heard; /* an event arrived on this stream */
};

static void
event_print(const char *event, const json_t *data)
{
	(void)printf("job %" PRIu64 ": ", job_whole(data, "job"));
	if (str_eq(event, "removed")) {
		(void)fputs("removed", stdout);
	} else if (str_eq(event, "state")) {
		text_print(stdout, job_str(data, "state"));
		if (*job_str(data, "reason")) {
			(void)fputs(" (", stdout);
			text_print(stdout, job_str(data, "reason"));
			(void)fputs("): ", stdout);
			text_print(stdout, job_str(data, "message"));
		}
	} else {
		text_print(stdout, job_str(data, "stage"));
		if (job_whole(data, "total"))
			(void)printf(" %.0f%%", 100.0 * job_number(data, "done") / job_number(data, "total"));
	}
	(void)fputc('\n', stdout);
}

static int
on_event(void *ctx, const char *event, const char *text, size_t len, struct err *e)
{
	struct events *v = ctx;
	json_t *data, *line;
	int r;

	r = json_parse_answer(text, len, "an event of the daemon", E_INTERNAL, &data, e);
	if (r < 0)
		return r;
	v->heard = true;
	if (v->c->json) {
		line = json_pack("{s:s, s:o}", "event", event, "data", data);
		cli_print_json(line, JSON_COMPACT);
		json_decref(line);
	} else {
		if (!str_eq(event, "ready"))
			event_print(event, data);
		json_decref(data);
	}
	return fflush(stdout) == 0 ? 0 : err_set(e, E_IO, "nobody reads the events");
}

static int
on_bytes(void *ctx, uint64_t offset _unused_, const void *data, size_t len, struct err *e)
{
	struct events *v = ctx;

	return sse_feed(&v->sse, data, len, on_event, v, e);
}

/* Runs until it is interrupted. When the daemon goes away, waits for it and asks for the missed events. */
static int
events_run(struct cli *c, struct events *v, struct err *e)
{
	char header[64];
	struct http_request req = {
		.method = "GET", .path = "/v1/events", .sink = on_bytes, .ctx = v, .stream = true};
	bool lost = false, ever = false;
	struct http *h;
	int r;

	r = cli_http(c, &h, e);
	while (r == 0) {
		sse_reset(&v->sse);
		(void)snprintf(header, sizeof(header), "Last-Event-ID: %s", v->sse.last_id);
		req.header = *v->sse.last_id ? header : NULL;
		v->heard = false;
		r = http_perform(h, &req, e);
		ever = ever || v->heard;
		if (!ever || (r != 0 && r != E_UNREACHABLE && r != E_BUSY))
			return r;
		if (v->heard || !lost)
			(void)fputs("colconvctl: lost the daemon; waiting for it\n", stderr);
		lost = true;
		err_clear(e);
		r = 0;
		(void)usleep(RETRY_US);
	}
	return r;
}

int
cmd_events(struct cli *c, int argc, char **argv, struct err *e)
{
	struct events v = {.c = c, .sse = SSE_INIT};
	uint64_t after = UINT64_MAX;
	const struct option_row rows[] = {
		{"after", 0, "N", option_number, &after, NULL, "begin with those that came after event N"},
		CLI_OPTIONS(c),
	};
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	if (after != UINT64_MAX)
		(void)snprintf(v.sse.last_id, sizeof(v.sse.last_id), "%" PRIu64, after);
	r = events_run(c, &v, e);
	sse_release(&v.sse);
	return r;
}
