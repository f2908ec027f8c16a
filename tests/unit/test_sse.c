#include "test.h"

#include "base/str.h"
#include "client/net/sse.h"

/* "name=data;" for each event. */
static int
collect(void *ctx, const char *event, const char *data, size_t len, struct err *e)
{
	(void)e;
	buf_printf(ctx, "%s=%.*s;", event, (int)len, data);
	return str_eq(data, "stop");
}

static const struct {
	const char *stream;
	const char *events;
} cases[] = {
	{"event: job\ndata: {}\n\n", "job={};"},
	{"event: job\r\ndata: {}\r\n\r\n", "job={};"},
	{"data: x\n\n", "message=x;"},
	{"data:x\n\n", "message=x;"},
	{"data:  x\n\n", "message= x;"},
	{"data: a\ndata: b\n\n", "message=a\nb;"},
	{"data\n\n", "message=;"},
	{": hello\n\nid: 7\nretry: 5\nevent: log\ndata: y\n\n", "log=y;"},
	/* An event without data is skipped, and its name does not apply to the next event. */
	{"event: job\n\ndata: x\n\n", "message=x;"},
	{"event: job\nevent: log\ndata: x\n\n", "log=x;"},
	{"event: job\ndata: cut", ""},
	{"\n\n\n", ""},
	{"data: stop\n\ndata: late\n\n", "message=stop;"},
};

TEST(test_streams)
{
	struct err e = ERR_INIT;
	size_t i, k, n;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		/* The same stream arrives in parts of each length, down to single bytes. */
		for (n = strlen(cases[i].stream); n > 0; n--) {
			struct sse s = SSE_INIT;
			struct buf got = BUF_INIT;
			int r = 0;

			for (k = 0; r == 0 && k < strlen(cases[i].stream); k += n)
				r = sse_feed(&s, cases[i].stream + k, MIN(n, strlen(cases[i].stream) - k),
					     collect, &got, &e);
			assert_no_error(&e);
			assert_string_equal(got.len ? got.data : "", cases[i].events);
			sse_release(&s);
			buf_release(&got);
		}
	}
}

/* Feeds the same part again and again: a line or event without an end must be refused when it is too long. */
static void
refused_without_end(const char *part, size_t len, const char *words)
{
	struct sse s = SSE_INIT;
	struct err e = ERR_INIT;
	int r = 0, i;

	for (i = 0; r == 0 && i < 1000; i++)
		r = sse_feed(&s, part, len, collect, NULL, &e);
	assert_error(&e, E_BAD_REQUEST, words);
	sse_release(&s);
}

TEST(test_long_line_refused)
{
	char part[65536];

	memset(part, 'x', sizeof(part));
	refused_without_end(part, sizeof(part), "line of the daemon's events is too long");
}

TEST(test_long_event_refused)
{
	char line[65536] = "data: ";

	memset(line + 6, 'x', sizeof(line) - 7);
	line[sizeof(line) - 1] = '\n';
	refused_without_end(line, sizeof(line), "event of the daemon is too long");
}

TEST(test_reset_forgets)
{
	struct sse s = SSE_INIT;
	struct buf got = BUF_INIT;
	struct err e = ERR_INIT;

	assert_int_equal(sse_feed(&s, "event: job\ndata: half", 21, collect, &got, &e), 0);
	sse_reset(&s);
	assert_int_equal(sse_feed(&s, "data: new\n\n", 11, collect, &got, &e), 0);
	assert_string_equal(got.data, "message=new;");
	sse_release(&s);
	buf_release(&got);
}

/*
 * The last number is that of a complete event, also of one without data. An event that is cut off or has no number
 * does not count.
 */
TEST(test_last_id)
{
	static const char stream[] =
		"id: 7\ndata: x\n\nid: 8\n\ndata: y\n\nid: 123456789012345678901234\ndata: z\n\nid: 9\n";
	struct sse s = SSE_INIT;
	struct buf got = BUF_INIT;
	struct err e = ERR_INIT;

	assert_string_equal(s.last_id, "");
	assert_int_equal(sse_feed(&s, stream, strlen(stream), collect, &got, &e), 0);
	assert_string_equal(s.last_id, "8");
	sse_reset(&s);
	assert_string_equal(s.last_id, "8");
	assert_int_equal(sse_feed(&s, "data: new\n\n", 11, collect, &got, &e), 0);
	assert_string_equal(s.last_id, "8");
	sse_release(&s);
	buf_release(&got);
}

int
main(void)
{
	return tests_run("sse", NULL, NULL);
}
