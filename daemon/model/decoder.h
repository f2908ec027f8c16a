/*
 * The decoder stack of the language models: blocks of grouped-query attention with rotary positions and a
 * gated feed-forward part, each after a norm. A family sets the facts in which its decoder differs.
 */
#ifndef MODEL_DECODER_H
#define MODEL_DECODER_H

#include "tasks.h"

struct rope; /* rope.h */

enum decoder_norm {
	DECODER_NORM,          /* x / rms(x) * w */
	DECODER_NORM_ONE_PLUS, /* x / rms(x) * (1 + w) */
};

enum decoder_act { DECODER_SILU, DECODER_GELU_TANH };

/* The rotary tables and the mask for one kind of layers. */
struct decoder_attention {
	struct ir_value *cos, *sin; /* [..., sequence, 1, pairs of rotated elements] */
	/* of the queries, where they differ from those of the keys; NULL: they do not */
	struct ir_value *q_cos, *q_sin;
	struct ir_value *mask; /* with `see`, of tr_attention(): which tokens a token sees */
	enum ir_mask see;
};

/*
 * Mixes the tokens in a layer that has no attention: y [batch, sequence, hidden], normed, becomes what is
 * added to the layer's state.
 */
typedef struct ir_value *(*decoder_mixer_fn)(struct trace *t, struct ir_value *y, int il, const void *arg);

/* What the weights of a layer are called behind "lm.layers.N.", and those of the last norm. */
struct decoder_names {
	const char *before_attention, *before_ff; /* norms */
	const char *q_norm, *k_norm, *o;          /* attention */
	const char *gate, *up, *down;             /* the feed-forward part */
	const char *last;
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
	double residual;  /* factor of what attention and feed-forward part add to the state; 0: 1 */
	enum decoder_norm norm;
	enum decoder_act act;
	enum blk_bias qkv_bias, o_bias;
	bool qk_norm; /* q and k pass a norm per head, q_norm and k_norm, before the rotation */
	const struct decoder_names *names; /* NULL: Llama's */
	bool gated;          /* Qwen3.5: q_proj gives each head its query and then as many numbers; the
                                 * sigmoid of these multiplies what the head found */
	bool after_norms;    /* Gemma 3: another norm after attention and after the feed-forward part */
	const bool *sliding; /* by layer: uses the second kind of attention; NULL: all layers use the
                                 * first */
	const bool *mixes;   /* by layer: has `mixer` instead of attention; NULL: no layer */
	decoder_mixer_fn mixer;
	const void *mixer_arg;
	struct tasks *tasks;    /* whose adapters its linears have; NULL: none */
	decoder_after_fn after; /* NULL: nothing happens after a layer */
	const void *after_arg;
};

/*
 * Tokens at positions 0, 1, ..., padding included, with whole heads rotated. A token sees only itself and earlier ones; a family
 * whose tokens see all sets `see`.
 */
struct decoder_attention decoder_attention_counted(struct trace *t, const struct rope *rope, int64_t head_dim,
						   struct ir_value *unmasked);

/*
 * x [batch, sequence, hidden]. `kind` has full attention and, if d->sliding is set, sliding attention. The
 * result includes the last norm.
 */
struct ir_value *decoder_build(struct trace *t, const struct decoder *d, struct ir_value *x,
			       const struct decoder_attention kind[]);

#endif
