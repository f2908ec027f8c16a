/*
 * A layer with linear attention, the gated delta rule: what Qwen3.5 and Qwen3-Next have in most layers of
 * the decoder instead of attention. It reads the tokens from the first to the last, and keeps a matrix for
 * each head in which each token corrects what its key finds.
 */
#ifndef MODEL_DELTA_LAYER_H
#define MODEL_DELTA_LAYER_H

#include "blocks.h"
#include "qwen2vl_config.h"

struct delta_layer {
	const struct qwen3_5_linear *c;
	int64_t hidden;
	double eps;                /* of the norm over what a head found */
	struct ir_value *unmasked; /* bool [batch, sequence] */
};

/*
 * For a `struct decoder`; arg is a struct delta_layer. y [batch, sequence, hidden], normed. Masked tokens
 * change no other token's result, even where y is not finite.
 */
struct ir_value *delta_layer_mix(struct trace *t, struct ir_value *y, int il, const void *arg);

#endif
