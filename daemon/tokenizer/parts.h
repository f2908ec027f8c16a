/*
 * The parts of a tokenizer: load.c fills them from the file, tokenizer.c runs them.
 */
#ifndef TOKENIZER_PARTS_H
#define TOKENIZER_PARTS_H

#include "added.h"
#include "bpe.h"
#include "normal.h"
#include "split.h"

struct tokenizer {
	struct added_set raw;    /* added tokens that are searched in the original text */
	struct added_set normal; /* added tokens that are searched after the normalizers */
	struct normal normalizer;
	struct split pre;
	struct bpe bpe;
	struct ids before, after; /* tokens that the file puts around a text */
	int64_t next_id;          /* of the next added token that the vocabulary lacks */
};

#endif
