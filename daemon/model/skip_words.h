/*
 * Which tokens of a document keep their vector, as Sentence Transformers' module MultiVectorMask says it:
 *
 *	2_MultiVectorMask/config.json  {"skiplist_words": ["!", ...], "skiplist_tasks": ["document"], ...}
 *
 * A word is skipped where it is a token by itself. The vectors stay in the output, for queries keep them all; a second
 * output marks those that count in a document.
 */
#ifndef MODEL_SKIP_WORDS_H
#define MODEL_SKIP_WORDS_H

#include "blocks.h"

#define SKIP_WORDS_MAX 256
#define SKIP_WORDS_OUTPUT "mask_document"

struct skip_words {
	bool stated; /* the checkpoint has such a module */
	size_t n;
	int64_t id[SKIP_WORDS_MAX];
};

/* Finds the ids of the words in tokenizer.json. E_UNSUPPORTED_MODEL for a mask of another kind. */
int skip_words_read(const struct checkpoint *ck, struct skip_words *ret, struct err *e);

/* Adds the output, bool [batch, sequence], if the checkpoint has the module. */
void skip_words_output(struct trace *t, const struct skip_words *s, const struct blk_text *in);

#endif
