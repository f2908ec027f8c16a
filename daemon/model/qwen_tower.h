/*
 * The vision towers of the Qwen-VL generations. They share the order of the patches, rotary positions by
 * row and column, and the attention. Each tower has its own norms, feed-forward parts and merging of
 * patches.
 *
 * Each tower has one function, which qwen_vision() chooses by the generation in the config.
 */
#ifndef MODEL_QWEN_TOWER_H
#define MODEL_QWEN_TOWER_H

#include "qwen2vl.h"

/* The features that a tower makes of the patches, padding included; each float [images*patches/4, hidden]. */
struct qwen_features {
	struct ir_value *merged; /* replaces the image tokens' embeddings */
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

/* Values that the blocks of a tower share. */
struct qwen_tower {
	const struct qwen2vl_vision *c;
	const struct qwen2vl_images *images;
	struct ir_value *row,
		*col; /* int64 [images, patches]: position of a patch; for padding, the position of some
                       * patch */
	struct ir_value *seen;      /* bool [images, patches]: not padding */
	struct ir_value *cos, *sin; /* [images, patches, 1, head_dim/2] */
};

struct qwen_tower qwen_tower_begin(struct trace *t, const struct qwen2vl_vision *c,
				   const struct qwen2vl_images *im);

/* The patch embedding: [images, patches, width]. */
struct ir_value *qwen_tower_patches(struct trace *t, const struct qwen_tower *v, enum blk_bias bias);

/* x + attention of block il over y, the normed x; `mask`, of tr_attention(), says which patches a patch sees. */
struct ir_value *qwen_tower_attention(struct trace *t, const struct qwen_tower *v, struct ir_value *x,
				      struct ir_value *y, struct ir_value *mask, int il);

/* Joins the four patches of a token: [images*patches/4, 4*width]. */
struct ir_value *qwen_tower_group(struct trace *t, struct ir_value *x);

/*
 * Makes features of the decoder's width from the normed x, in Qwen2-VL and Qwen2.5-VL: two layers over each
 * token's patches.
 */
struct ir_value *qwen2vl_merge(struct trace *t, const struct qwen_tower *v, struct ir_value *x,
			       int64_t hidden);

#endif
