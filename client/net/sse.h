/*
 * Parses server-sent events (text/event-stream, the WHATWG's HTML standard) as their bytes arrive. Lines end
 * with LF or CRLF. Comments and `retry` are skipped.
 */
#ifndef CLIENT_SSE_H
#define CLIENT_SSE_H

#include "base/buf.h"

#define SSE_LEN_MAX (4u << 20)
#define SSE_ID_LEN 20 /* digits of colconvd's numbers */

struct sse {
	struct buf line;  /* an incomplete line */
	struct buf event; /* name of the event that is being read */
	struct buf data;
	bool has_data;
	char last_id[SSE_ID_LEN + 1]; /* of the last whole event that had one, for Last-Event-ID; "" before */
	char id_next[SSE_ID_LEN + 1]; /* of the event that is being read, or as `last_id` */
};

/* clang-format off */
#define SSE_INIT { .has_data = false }
/* clang-format on */

/*
 * Called for each event; the strings are valid during the call. 0 continues; any other value ends sse_feed(),
 * which returns it.
 */
typedef int sse_fn(void *ctx, const char *event, const char *data, size_t data_len, struct err *e);

void sse_release(struct sse *s);

/* Prepares for a new stream; the id of the last event stays. */
void sse_reset(struct sse *s);

/*
 * Returns 0, the value of the callback that ended it, or E_BAD_REQUEST for a line or an event longer than
 * SSE_LEN_MAX.
 */
int sse_feed(struct sse *s, const char *bytes, size_t len, sse_fn *fn, void *ctx, struct err *e);

#endif
