/*
 * Pre-tokenizers: they split a normalized piece into words. In byte-level files, each byte of a word then
 * becomes one printable character.
 */
#ifndef TOKENIZER_SPLIT_H
#define TOKENIZER_SPLIT_H

#include "base/json.h"

#define SPLIT_MAX 8
#define SPLIT_PATTERN_MAX 4096 /* bytes of a regular expression */

enum split_what {
	SPLIT_ISOLATED, /* matches and the text between them are words */
	SPLIT_REMOVED,  /* the text between the matches is words */
	SPLIT_BEFORE,   /* MergedWithPrevious: a match ends the word before it */
	SPLIT_BYTES,    /* ByteLevel: bytes become characters, after a split by `regex` where there is one */
};

struct split_step {
	enum split_what what;
	void *regex; /* regex_t of Oniguruma, whose header stays in split.c; NULL: no split */
	bool prefix_space;
};

struct split {
	struct split_step step[SPLIT_MAX];
	size_t n;
};

/* From the file's "pre_tokenizer": an object or null. */
int split_load(const json_t *j, struct split *ret, struct err *e);
void split_release(struct split *s);

/* Called for each word in order; a negative return stops the run and becomes its result. */
typedef int (*split_fn)(void *arg, const char *word, size_t len, struct err *e);

int split_run(const struct split *s, const char *text, size_t len, split_fn word, void *arg, struct err *e);

#endif
