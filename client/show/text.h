/*
 * Makes strings from a server, a worker or a file safe to print on a terminal: control characters, bytes that
 * are not UTF-8 and characters that reorder text become escapes.
 */
#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H

#include <stdio.h>

#include "base/buf.h"

void text_add(struct buf *b, const char *s, size_t len);
/* A safe copy, cut after the last whole character that fits. */
void text_copy(char *ret, size_t len, const char *s);

void text_print(FILE *f, const char *s);

/* Makes text safe that arrives in pieces; newlines and tabs stay. */
struct text_stream {
	FILE *out;
	char held[4]; /* an incomplete character, which the next piece completes */
	size_t held_len;
};

int text_stream_add(struct text_stream *t, const char *data, size_t len, struct err *e);
int text_stream_end(struct text_stream *t, struct err *e);

/* Columns of a clean string, taking each character for one. */
size_t text_width(const char *s);

/* The first character of `s` from which at most `width` columns are left. */
const char *text_tail(const char *s, size_t width);

/* Length in bytes of the first characters of `s` that fit in `width` columns. */
size_t text_head_len(const char *s, size_t width);

/* Columns and rows of the terminal behind `f`; 0 when it is not a terminal. */
unsigned text_columns(FILE *f);
unsigned text_rows(FILE *f);

#endif
