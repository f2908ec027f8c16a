/*
 * The vocabulary: byte strings and their ids, found by hash.
 */
#ifndef TOKENIZER_VOCAB_H
#define TOKENIZER_VOCAB_H

#include "base/buf.h"

struct vocab_entry {
	uint32_t offset; /* in `bytes` */
	uint32_t len;
	int32_t id;
};

struct vocab {
	struct buf bytes;
	struct vocab_entry *entry;
	size_t n;
	uint32_t *slot; /* entry + 1, or 0; their number is a power of two, at most half are used */
	size_t n_slots;
};

/* Makes room for `n` entries. */
int vocab_init(struct vocab *v, size_t n, struct err *e);
void vocab_release(struct vocab *v);

/* Adds an entry, up to the number given to vocab_init(). A string that exists gets the new id. */
void vocab_add(struct vocab *v, const char *s, size_t len, int32_t id);

/* The id, or -1. */
int32_t vocab_find(const struct vocab *v, const char *s, size_t len);

#endif
