/*
 * What a tokenizer is made of: load.c fills it from the file, tokenizer.c runs it.
 */
#ifndef TOKENIZER_PARTS_H
#define TOKENIZER_PARTS_H

#include "added.h"
#include "bpe.h"
#include "normal.h"
#include "split.h"

struct tokenizer {
	struct added_set raw;    /* added tokens that are cut out of the text as it is */
	struct added_set normal; /* and those that are looked for after the normalizers */
	struct normal normalizer;
	struct split pre;
	struct bpe bpe;
	struct ids before, after; /* tokens that the file puts around a text */
	int64_t next_id;          /* of the next added token that the vocabulary lacks */
};

#endif
