/*
 * The decoder stack of the language models: blocks of grouped-query attention with rotary positions and of a gated
 * feed-forward part, each behind a norm. A family says the facts in which its decoder differs.
 */
#ifndef MODEL_DECODER_H
#define MODEL_DECODER_H

#include "blocks.h"

enum decoder_norm {
	DECODER_NORM,          /* x / rms(x) * w */
	DECODER_NORM_ONE_PLUS, /* x / rms(x) * (1 + w) */
};

enum decoder_act { DECODER_SILU, DECODER_GELU_TANH };

/* What the layers of one kind attend with. */
struct decoder_attention {
	struct ir_value *cos, *sin; /* [..., sequence, rotated elements of a head] */
	struct ir_value *bias;      /* of tr_attention_bias(): says which tokens a token sees */
};

/* Called after each layer, with its state [batch, sequence, hidden]; returns the state to go on with. */
typedef struct ir_value *(*decoder_after_fn)(struct trace *t, struct ir_value *x, int il, const void *arg);

/* Facts that are left out are those of Llama. */
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
	bool qk_norm;           /* q and k pass a norm per head, q_norm and k_norm, before they are rotated */
	bool after_norms;       /* Gemma 3: attention and feed-forward part have a norm behind them too */
	int64_t rotated;        /* the first elements of a head that are rotated; 0: all */
	const bool *sliding;    /* by layer: attends with the second kind; NULL: all layers with the first */
	decoder_after_fn after; /* NULL: nothing happens after a layer */
	const void *after_arg;
};

/* x [batch, sequence, hidden]; `kind` is full attention and, where d->sliding says so, sliding. After the last norm. */
struct ir_value *decoder_build(struct trace *t, const struct decoder *d, struct ir_value *x,
			       const struct decoder_attention kind[]);

#endif
