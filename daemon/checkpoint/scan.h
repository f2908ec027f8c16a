/*
 * Reads JSON piece by piece, for files that can be huge: nothing is allocated, whatever the text holds.
 *
 *	scan_init ; scan_open(s, '{') ; while (scan_key(...) > 0) one value ; scan_end
 *
 * A value is read by scan_str(), scan_int(), scan_skip(), or opened by scan_open() and read up to its end.
 * scan_peek() tells which of them fits. The first mistake in the text is an error of the caller's code:
 * "header: line 1, column 7: ':' expected".
 */
#ifndef CHECKPOINT_SCAN_H
#define CHECKPOINT_SCAN_H

#include "base/err.h"

struct scan {
	const unsigned char *text, *at, *end;
	const char *what; /* names the text in errors */
	int code;         /* of errors */
	bool fresh;       /* an object or array was just opened: no comma before its first member */
};

void scan_init(struct scan *s, const void *text, size_t len, const char *what, int code);

/* The first byte of the next value: '{', '[', '"', 't', 'f', 'n', a digit or '-'; anything else is a mistake. */
int scan_peek(struct scan *s);

/* Enters the object ('{') or array ('['), which scan_peek() saw. */
int scan_open(struct scan *s, char bracket, struct err *e);

/*
 * The next key of the open object: 1, and its value follows; 0: the object has ended. *ret_len is the key's
 * whole length in bytes; when it is `cap` or more, `key` holds only the beginning.
 */
int scan_key(struct scan *s, char *key, size_t cap, size_t *ret_len, struct err *e);

/* The same for the open array, whose next element follows after 1. */
int scan_element(struct scan *s, struct err *e);

/* A string, of valid UTF-8 without NUL, as a key above. */
int scan_str(struct scan *s, char *ret, size_t cap, size_t *ret_len, struct err *e);

/* A number: 1 when it is whole and fits *ret, 0 when it has a fraction or an exponent. */
int scan_int(struct scan *s, int64_t *ret, struct err *e);

/* Any value, with all that it holds: numbers of any length, and strings whose escapes mean no character. */
int scan_skip(struct scan *s, struct err *e);

/* Nothing but white space is left. */
int scan_end(struct scan *s, struct err *e);

#endif
