/*
 * Normalizers: they change a piece of text before it is split.
 */
#ifndef TOKENIZER_NORMAL_H
#define TOKENIZER_NORMAL_H

#include "base/json.h"

#define NORMAL_MAX 8

enum normal_kind {
	NORMAL_FORM,    /* a Unicode normal form */
	NORMAL_REPLACE, /* every `from` becomes `to` */
	NORMAL_PREPEND, /* `to` goes before a piece that is not empty */
};

struct normal_step {
	enum normal_kind kind;
	int form; /* utf8proc's options */
	char *from, *to;
	size_t from_len, to_len;
};

struct normal {
	struct normal_step step[NORMAL_MAX];
	size_t n;
};

/* From the file's "normalizer": an object or null. */
int normal_load(const json_t *j, struct normal *ret, struct err *e);
void normal_release(struct normal *n);

/* Appends the normalized text. Input and output are valid UTF-8. */
int normal_run(const struct normal *n, const char *text, size_t len, struct buf *ret, struct err *e);

#endif
