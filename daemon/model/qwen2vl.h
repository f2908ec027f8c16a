/*
 * Images among the tokens of a text, for Qwen2-VL and its successors: the inputs, which token belongs to
 * which part of which image, and the three-axis rotary positions.
 *
 * A batch may mix images of any sizes: patches are padded to the largest image, and everything that depends
 * on an image's size is computed from its row of the grid. Each row of the batch may have any number of
 * images: the k-th image token of the batch, row by row, belongs to the k-th feature of the images, in
 * order.
 */
#ifndef MODEL_QWEN2VL_H
#define MODEL_QWEN2VL_H

#include "blocks.h"
#include "model.h"
#include "qwen2vl_config.h"

#define QWEN2VL_MERGE 2 /* patches on each side of one token */

/* Numbers of one patch: channels x frames x side x side. */
int64_t qwen2vl_features(const struct qwen2vl_vision *c);

/* For the `struct model` of families that are built on this; `config` is a qwen2vl_config. */
extern const struct model_input qwen2vl_inputs[];
struct model_tokens qwen2vl_tokens(const void *config);
int64_t qwen2vl_image_tokens(const void *config, int h, int w);

/* Adds the image inputs of a parity case: images in order, patches padded with zeros. */
int qwen2vl_images_make(const struct qwen2vl_config *c, const struct plan *plan, struct rng *rng,
			struct feeds *ret, struct err *e);

/* The inputs for images. */
struct qwen2vl_fed {
	struct ir_value *pixels;    /* float [images, patches, features] */
	struct ir_value *t, *h, *w; /* int64 [images], in patches */
};

/* The images of a batch, and the part of an image that each token stands for. */
struct qwen2vl_images {
	struct ir_value *pixels;      /* float [images, patches, features] */
	struct ir_value *rows, *cols; /* int64 [images]: sides in tokens; at least 1 */
	struct ir_value *tokens;      /* int64 [images]: rows * cols */
	struct ir_value *is_image;    /* bool [batch, sequence] */
	struct ir_value *image;       /* int64 [batch*sequence]: the token's image */
	struct ir_value *place;       /* int64 [batch*sequence]: the token's number within its image */
};

/* Declares pixel_values and image_grid_thw. */
struct qwen2vl_fed qwen2vl_image_inputs(struct trace *t, const struct qwen2vl_config *c);

/*
 * `flag`, bool [batch, sequence], marks the ids of image tokens. The call fails when grid, pixels and image
 * tokens do not match.
 */
struct qwen2vl_images qwen2vl_images(struct trace *t, const struct qwen2vl_fed *in,
				     const struct blk_text *text, struct ir_value *flag);

/*
 * The row of each image token in the merged features: int64 [batch*sequence]. The features are float
 * [images*patches/4, hidden] and include the padding of each image.
 */
struct ir_value *qwen2vl_index(struct trace *t, const struct qwen2vl_images *im);

/*
 * Rotary angles of the trained positions, float [batch, sequence, rotary_dim/2]. The call fails when the
 * tokens of an image are not consecutive, or when two images follow each other without text between: such
 * positions were never trained, and the original classes refuse them too.
 */
struct ir_value *qwen2vl_mrope(struct trace *t, const struct qwen2vl_config *c,
			       const struct qwen2vl_images *im, const struct blk_text *in);

#endif
