#include "sse.h"

#include "base/str.h"

void
sse_release(struct sse *s)
{
	buf_release(&s->line);
	buf_release(&s->event);
	buf_release(&s->data);
}

void
sse_reset(struct sse *s)
{
	buf_clear(&s->line);
	buf_clear(&s->event);
	buf_clear(&s->data);
	s->has_data = false;
	memcpy(s->id_next, s->last_id, sizeof(s->last_id));
}

/* "field: value", "field:value" or "field". */
static void
field_take(struct sse *s, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : len;
	const char *value = colon ? colon + 1 : line + len;
	size_t value_len = (size_t)(line + len - value);

	if (value_len && *value == ' ') {
		value++;
		value_len--;
	}
	if (name_len == 5 && memcmp(line, "event", 5) == 0) {
		buf_clear(&s->event);
		buf_add(&s->event, value, value_len);
	} else if (name_len == 4 && memcmp(line, "data", 4) == 0) {
		if (s->has_data)
			buf_puts(&s->data, "\n");
		buf_add(&s->data, value, value_len);
		s->has_data = true;
	} else if (name_len == 2 && memcmp(line, "id", 2) == 0 && value_len <= SSE_ID_LEN &&
		   strspn(value, "0123456789") >= value_len) {
		memcpy(s->id_next, value, value_len);
		s->id_next[value_len] = '\0';
	}
}

/* An empty line ends an event. An event without data is skipped, as the standard says. */
static int
event_take(struct sse *s, sse_fn *fn, void *ctx, struct err *e)
{
	int r = 0;

	memcpy(s->last_id, s->id_next, sizeof(s->last_id));
	if (s->has_data)
		r = buf_failed(&s->event, e) < 0 || buf_failed(&s->data, e) < 0
			    ? E_NO_MEMORY
			    : fn(ctx, s->event.len ? s->event.data : "message", s->data.data, s->data.len, e);
	sse_reset(s);
	return r;
}

int
sse_feed(struct sse *s, const char *bytes, size_t len, sse_fn *fn, void *ctx, struct err *e)
{
	const char *end = bytes + len, *eol;
	size_t n;
	int r;

	for (; (eol = memchr(bytes, '\n', (size_t)(end - bytes))); bytes = eol + 1) {
		buf_add(&s->line, bytes, (size_t)(eol - bytes));
		r = buf_failed(&s->line, e);
		if (r < 0)
			return r;
		n = s->line.len;
		if (n && s->line.data[n - 1] == '\r')
			n--;
		if (n) {
			field_take(s, s->line.data, n);
			buf_clear(&s->line);
		} else if ((r = event_take(s, fn, ctx, e)) != 0) {
			return r;
		}
		if (s->data.len > SSE_LEN_MAX)
			return err_set(e, E_BAD_REQUEST, "an event of the daemon is too long");
	}
	buf_add(&s->line, bytes, (size_t)(end - bytes));
	if (s->line.len > SSE_LEN_MAX)
		return err_set(e, E_BAD_REQUEST, "a line of the daemon's events is too long");
	return buf_failed(&s->line, e);
}
