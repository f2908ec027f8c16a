/*
 * Tokens cut into blocks of equal size, for a Loop that runs over the blocks. The number of blocks follows from the sizes
 * of a call. All of this is made once for the lowerings that cut the same tokens in the same way.
 */
#ifndef ONNX_LOWER_BLOCKS_H
#define ONNX_LOWER_BLOCKS_H

#include "emit.h"

struct blocks {
	const char *name; /* of how the tokens are cut, in the graph */
	struct dim tokens;
	emit_make_fn needed; /* makes the number of blocks, int64 [1]; 0 stands for 1 */
	const void *arg;
};

/* a / b, rounded up. */
const char *blocks_divide_up(struct emit *em, const char *suffix, const char *a, const char *b);

/* int64 [blocks, rows]: which token each row of each block is; the last block repeats the last token until it is full. */
const char *blocks_index(struct emit *em, const struct blocks *b);

/* How many blocks: an int64 scalar. */
const char *blocks_count(struct emit *em, const struct blocks *b);

/* x [batch, blocks, rows, ...] as [batch, tokens, heads, width]. */
const char *blocks_join(struct emit *em, const struct blocks *b, const char *suffix, const char *x,
			int64_t heads, int64_t width);

#endif
