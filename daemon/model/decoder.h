/*
 * The decoder stack of the language models: blocks of grouped-query attention with rotary positions and a
 * gated feed-forward part, each after a norm. A family sets the facts in which its decoder differs.
 */
#ifndef MODEL_DECODER_H
#define MODEL_DECODER_H

#include "blocks.h"

enum decoder_norm {
	DECODER_NORM,          /* x / rms(x) * w */
	DECODER_NORM_ONE_PLUS, /* x / rms(x) * (1 + w) */
};

enum decoder_act { DECODER_SILU, DECODER_GELU_TANH };

/* The rotary tables and the mask for one kind of layers. */
struct decoder_attention {
	struct ir_value *cos, *sin; /* [..., sequence, 1, pairs of rotated elements] */
	struct ir_value *mask;      /* with `see`, of tr_attention(): which tokens a token sees */
	enum ir_mask see;
};

/* Called after each layer with its state [batch, sequence, hidden]; returns the state for the next layer. */
typedef struct ir_value *(*decoder_after_fn)(struct trace *t, struct ir_value *x, int il, const void *arg);

/* Facts that are left out have the values of Llama. */
struct decoder {
	int64_t hidden;
	int64_t layers;
	int64_t heads;
	int64_t kv_heads;
	int64_t head_dim; /* heads * head_dim need not be hidden */
	int64_t ff;       /* inner width of the feed-forward part */
	double eps;       /* of the norms */
	double scale;     /* of q k^T; 0: 1 / sqrt(head_dim) */
	enum decoder_norm norm;
	enum decoder_act act;
	enum blk_bias qkv_bias, o_bias;
	bool qk_norm;           /* q and k pass a norm per head, q_norm and k_norm, before the rotation */
	bool after_norms;       /* Gemma 3: another norm after attention and after the feed-forward part */
	const bool *sliding;    /* by layer: uses the second kind of attention; NULL: all layers use the
                                 * first */
	decoder_after_fn after; /* NULL: nothing happens after a layer */
	const void *after_arg;
};

/*
 * x [batch, sequence, hidden]. `kind` has full attention and, if d->sliding is set, sliding attention. The
 * result includes the last norm.
 */
struct ir_value *decoder_build(struct trace *t, const struct decoder *d, struct ir_value *x,
			       const struct decoder_attention kind[]);

#endif
