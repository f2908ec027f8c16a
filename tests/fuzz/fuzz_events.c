/*
 * A stream of events of any server, as the client reads it. However the bytes arrive, at once or one by one, the same
 * events come out.
 */
#include "fuzz.h"

#include "client/net/sse.h"

/* Keeps everything that it is told, in one text. */
static int
event_take(void *ctx, const char *event, const char *data, size_t data_len, struct err *e _unused_)
{
	struct buf *b = ctx;

	assert(strlen(event) <= SSE_LEN_MAX && data_len <= SSE_LEN_MAX && data[data_len] == '\0');
	buf_puts(b, event);
	buf_add(b, "\n", 1);
	buf_add(b, data, data_len);
	buf_add(b, "\n", 1);
	return 0;
}

static void
read_all(const char *data, size_t len, size_t piece, struct buf *ret)
{
	struct sse s = SSE_INIT;
	struct err e = ERR_INIT;
	size_t at, n;

	for (at = 0; at < len; at += n) {
		n = MIN(piece, len - at);
		assert(sse_feed(&s, data + at, n, event_take, ret, &e) == 0);
	}
	buf_puts(ret, s.last_id);
	sse_release(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(buf_release) struct buf once = BUF_INIT, slow = BUF_INIT;

	read_all((const char *)data, len, len, &once);
	read_all((const char *)data, len, 1, &slow);
	assert(once.len == slow.len && (once.len == 0 || memcmp(once.data, slow.data, once.len) == 0));
	return 0;
}
