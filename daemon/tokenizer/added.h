/*
 * Added tokens: strings such as <|image_pad|> that are cut out of a text before any other step.
 */
#ifndef TOKENIZER_ADDED_H
#define TOKENIZER_ADDED_H

#include "base/err.h"

struct added_token {
	char *content;
	size_t len;
	int64_t id;
	bool left_strip, right_strip; /* includes the white space on that side */
	bool single_word;             /* matches only without a letter or digit next to it */
};

/* A set of added tokens, sorted by content. */
struct added_set {
	struct added_token *token;
	size_t n;
};

void added_release(struct added_set *s);

/* Takes the content. */
int added_add_take(struct added_set *s, struct added_token token, struct err *e);

/* Call it once, after the last token was added. */
void added_sort(struct added_set *s);

/* By content; NULL when there is none. */
const struct added_token *added_get(const struct added_set *s, const char *content, size_t len);

struct added_match {
	const struct added_token *token;
	size_t begin, end; /* in bytes, with the white space that it takes */
};

/*
 * Finds the first match at or after `from`: the leftmost one, and among those the longest. The previous
 * match ended at `taken`, so white space before `taken` is not included. False when there is none.
 */
bool added_find(const struct added_set *s, const char *text, size_t len, size_t from, size_t taken,
		struct added_match *ret);

#endif
