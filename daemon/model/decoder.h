/*
 * The causal or bidirectional decoder stack that Qwen2 and Gemma share: pre-norm blocks of
 * grouped-query attention with rotary positions and a gated feed-forward part.
 */
#ifndef MODEL_DECODER_H
#define MODEL_DECODER_H

#include "blocks.h"

struct decoder {
	int64_t hidden;
	int64_t layers;
	int64_t heads;
	int64_t kv_heads;
	int64_t head_dim;
	int64_t ff; /* inner width of the feed-forward part */
	double eps;
	bool gemma; /* norms scale by 1 + w, gelu_tanh for silu, no biases on q, k and v */
};

/* x [batch, sequence, hidden]; cos, sin [..., sequence, head_dim]; bias of tr_attention_bias. After the last norm. */
struct ir_value *decoder_build(struct trace *t, const struct decoder *d, struct ir_value *x,
			       struct ir_value *cos, struct ir_value *sin, struct ir_value *bias);

#endif
