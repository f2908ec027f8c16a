/*
 * Strings from a server, a worker or a file, made harmless for a terminal: control
 * characters, bytes that are no UTF-8 and the marks that reorder text are shown as escapes.
 */
#ifndef CLIENT_TEXT_H
#define CLIENT_TEXT_H

#include <stdio.h>

#include "base/buf.h"

void text_add(struct buf *b, const char *s, size_t len);
/* A copy made harmless, of as many whole characters as fit. */
void text_copy(char *ret, size_t len, const char *s);

void text_print(FILE *f, const char *s);

/* Bytes of text that come in pieces, lines and tabs kept: made harmless for a terminal, as they are elsewhere. */
struct text_stream {
	FILE *out;
	char held[4]; /* the start of a character that the next piece completes */
	size_t held_len;
};

int text_stream_add(struct text_stream *t, const char *data, size_t len, struct err *e);
int text_stream_end(struct text_stream *t, struct err *e);

/* Columns of a clean string, taking each character for one. */
size_t text_width(const char *s);

/* The start of the character of `s` from which at most `width` columns are left. */
const char *text_tail(const char *s, size_t width);

/* Bytes of the first characters of `s`, `width` columns at most. */
size_t text_head_len(const char *s, size_t width);

/* Columns and rows of the terminal behind `f`; 0 when it is none. */
unsigned text_columns(FILE *f);
unsigned text_rows(FILE *f);

#endif
