/*
 * Outputs of a graph beside its embeddings, which programs would else compute from them.
 *
 *	embeddings_bits   uint8 [batch, sequence, dim / 8]: the signs, a bit for each number, 1 when it is above 0; the first number is
 *	                  the highest bit, as numpy.packbits(x > 0, axis=-1) has it
 *	embeddings_int8   int8 [batch, sequence, dim]: each vector times 127 / its largest magnitude, rounded, ties to even
 *	embeddings_scale  float32 [batch, sequence, 1]: that magnitude / 127, with embeddings_int8
 *	is_image_token    bool [batch, sequence]: where input_ids has the image token
 *
 * The names follow the output of the trace: for a vector per row they are embedding_bits and so on, without the
 * axis of tokens.
 */
#ifndef ONNX_EXTRA_H
#define ONNX_EXTRA_H

#include "graph/graph.h"

enum {
	EXTRA_BITS = 1 << 0,
	EXTRA_INT8 = 1 << 1,
	EXTRA_IMAGE_TOKEN = 1 << 2,
};

#define EXTRA_MAX 4
#define EXTRA_NAME_LEN 64

struct extra_output {
	char name[EXTRA_NAME_LEN];
	enum elem elem;
	struct shape shape;
};

/* The outputs in their order. A graph without embeddings has none. Returns how many. */
size_t extra_list(const struct ir_graph *g, unsigned extras, struct extra_output ret[EXTRA_MAX]);

struct emit;

/* Makes their values, after all else of the graph. */
void extra_emit(struct emit *em);

#endif
