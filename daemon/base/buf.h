/*
 * A growing byte buffer. It remembers the first failure and goes quiet: write
 * straight code, then ask buf_failed() once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "err.h"

struct buf {
	char *data; /* always NUL-terminated once something was added; NULL before */
	size_t len;
	size_t cap;
	bool failed; /* memory ran out: do not use the content */
};

/* clang-format off */
#define BUF_INIT { .data = NULL }
/* clang-format on */

void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */

void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);

/* Reserve room for `len` more bytes. The caller fills it and then increases b->len. NULL on failure. */
void *buf_reserve(struct buf *b, size_t len);

/* Drops the first `len` bytes. */
void buf_consume(struct buf *b, size_t len);

/* 0, or E_NO_MEMORY when a call failed. */
int buf_failed(const struct buf *b, struct err *e);

/* Take the content as a string that the caller frees; the buffer is empty afterwards. NULL if the buffer failed. */
char *buf_take(struct buf *b);

#endif
