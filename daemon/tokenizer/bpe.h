/*
 * Byte pair encoding: a word becomes symbols, and neighbouring symbols are merged in the order of the
 * merges' ranks; among equal ranks the leftmost first.
 */
#ifndef TOKENIZER_BPE_H
#define TOKENIZER_BPE_H

#include "tokenizer.h"
#include "vocab.h"

/* Two neighbouring symbols that become one. */
struct bpe_merge {
	int32_t left, right, into;
	int32_t rank; /* position in the file; smaller is earlier. -1: an empty slot */
};

struct bpe {
	struct vocab vocab;
	struct bpe_merge *merge; /* by hash of (left, right); the size is a power of two, at most half of
                                  * it is used */
	size_t n_slots;
	int32_t byte_id[256]; /* of "<0xNN>", for byte_fallback */
	int32_t unk;          /* -1: unknown symbols are left out */
	bool byte_fallback;
	bool fuse_unk;      /* several unknown symbols in a row become one */
	bool ignore_merges; /* a word in the vocabulary becomes that token, whatever the merges */
};

/* Makes room for `n` merges. */
int bpe_merges_init(struct bpe *b, size_t n, struct err *e);
void bpe_merge_add(struct bpe *b, int32_t left, int32_t right, int32_t into, int32_t rank);
void bpe_release(struct bpe *b);

/* Adds the ids of one word, which is valid UTF-8. n log n in its length. */
int bpe_encode(const struct bpe *b, const char *word, size_t len, struct ids *ret, struct err *e);

#endif
