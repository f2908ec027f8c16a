/*
 * Reads JSON piece by piece, for files that can be huge: it never allocates memory.
 *
 *	scan_init ; scan_open(s, '{') ; while (scan_key(...) > 0) one value ; scan_end
 *
 * A value is read with scan_str() or scan_int(), skipped with scan_skip(), or entered with scan_open() and
 * read up to its end. scan_peek() tells which kind follows. The first mistake in the text is an error with
 * the caller's code: "header: line 1, column 7: ':' expected".
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

/*
 * The first byte of the next value: '{', '[', '"', 't', 'f', 'n', a digit or '-'. Any other byte is a syntax
 * error.
 */
int scan_peek(struct scan *s);

/* Enters the object ('{') or array ('[') that scan_peek() found. */
int scan_open(struct scan *s, char bracket, struct err *e);

/*
 * Reads the next key of the open object: 1, and its value follows; 0 at the end of the object. *ret_len is
 * the key's full length in bytes; when it is `cap` or more, `key` holds only the beginning.
 */
int scan_key(struct scan *s, char *key, size_t cap, size_t *ret_len, struct err *e);

/* The same for the open array: after 1 its next element follows. */
int scan_element(struct scan *s, struct err *e);

/* Reads a string; it must be valid UTF-8 without NUL. The other arguments are as in scan_key(). */
int scan_str(struct scan *s, char *ret, size_t cap, size_t *ret_len, struct err *e);

/* Reads a number: 1 when it is a whole number that fits *ret, 0 when it has a fraction or an exponent. */
int scan_int(struct scan *s, int64_t *ret, struct err *e);

/*
 * Skips any value with all its content: numbers of any length, and strings with escapes that mean no
 * character.
 */
int scan_skip(struct scan *s, struct err *e);

/* Checks that only white space is left. */
int scan_end(struct scan *s, struct err *e);

#endif
