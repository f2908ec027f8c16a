/*
 * The vision towers of the Qwen-VL generations. They agree on the order of the patches, on rotary positions by row
 * and column, and on the attention; norms, feed-forward parts and what becomes of the patches are each tower's own.
 *
 * A tower has one function, which qwen_vision() calls by the generation in the config.
 */
#ifndef MODEL_QWEN_TOWER_H
#define MODEL_QWEN_TOWER_H

#include "qwen2vl.h"

/* What the tower makes of the patches, padding included; each float [images*patches/4, hidden]. */
struct qwen_features {
	struct ir_value *merged; /* takes the place of the image tokens' embeddings */
	int n_deep;
	struct ir_value
		*deep[QWEN3VL_DEEP_MAX]; /* [j] is added to the image tokens' states after decoder layer j */
};

struct qwen_features qwen_vision(struct trace *t, const struct qwen2vl_config *c,
				 const struct qwen2vl_images *im);

struct qwen_features qwen2vl_tower(struct trace *t, const struct qwen2vl_config *c,
				   const struct qwen2vl_images *im);
struct qwen_features qwen2_5vl_tower(struct trace *t, const struct qwen2vl_config *c,
				     const struct qwen2vl_images *im);
struct qwen_features qwen3vl_tower(struct trace *t, const struct qwen2vl_config *c,
				   const struct qwen2vl_images *im);

/* What the blocks of a tower have in common. */
struct qwen_tower {
	const struct qwen2vl_vision *c;
	const struct qwen2vl_images *images;
	struct ir_value *row,
		*col; /* int64 [images, patches]: where a patch lies; for padding, where some patch does */
	struct ir_value *seen;      /* bool [images, patches]: not padding */
	struct ir_value *cos, *sin; /* [images, 1, patches, head_dim] */
	struct ir_value *bias;      /* a patch sees all patches of its image, and no padding */
};

struct qwen_tower qwen_tower_begin(struct trace *t, const struct qwen2vl_vision *c,
				   const struct qwen2vl_images *im);

/* The patch embedding: [images, patches, width]. */
struct ir_value *qwen_tower_patches(struct trace *t, const struct qwen_tower *v, enum blk_bias bias);

/* x + attention of block il over y, the normed x; `bias` says which patches a patch sees. */
struct ir_value *qwen_tower_attention(struct trace *t, const struct qwen_tower *v, struct ir_value *x,
				      struct ir_value *y, struct ir_value *bias, int il);

/* The four patches of a token side by side: [images*patches/4, 4*width]. */
struct ir_value *qwen_tower_group(struct trace *t, struct ir_value *x);

/* Qwen2-VL's and Qwen2.5-VL's way from the normed x to features of the text's width: two layers over each token's patches. */
struct ir_value *qwen2vl_merge(struct trace *t, const struct qwen_tower *v, struct ir_value *x,
			       int64_t hidden);

#endif
