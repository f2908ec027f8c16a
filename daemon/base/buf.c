#include "buf.h"

#include <stdarg.h>

void
buf_release(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

void *
buf_reserve(struct buf *b, size_t len)
{
	size_t cap = MAX(b->cap, 64);
	char *data;

	if (b->failed || len > SIZE_MAX / 4 - b->len) {
		b->failed = true;
		return NULL;
	}
	while (cap < b->len + len + 1)
		cap *= 2;
	if (cap != b->cap) {
		data = realloc(b->data, cap);
		if (!data) {
			b->failed = true;
			return NULL;
		}
		b->data = data;
		b->cap = cap;
	}
	return b->data + b->len;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
	void *p = buf_reserve(b, len);

	if (!p)
		return;
	if (len)
		memcpy(p, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

/* Print into the free room first; when that is too small, reserve enough and print again. */
void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char *p = buf_reserve(b, 64);
	va_list ap;
	size_t room;
	int n;

	if (!p)
		return;
	room = b->cap - b->len;
	va_start(ap, fmt);
	n = vsnprintf(p, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room && (p = buf_reserve(b, (size_t)n))) {
		va_start(ap, fmt);
		n = vsnprintf(p, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	if (n < 0 || b->failed) {
		b->failed = true;
		return;
	}
	b->len += (size_t)n;
}

void
buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (len == 0)
		return;
	memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
	b->data[b->len] = '\0';
}

int
buf_failed(const struct buf *b, struct err *e)
{
	return b->failed ? err_no_memory(e) : 0;
}

char *
buf_take(struct buf *b)
{
	char *s;

	if (!b->data)
		buf_add(b, "", 0);
	if (b->failed) {
		buf_release(b);
		return NULL;
	}
	s = b->data;
	*b = (struct buf)BUF_INIT;
	return s;
}
