/*
 * Square images of one size, each with the same number of tokens, for the families whose input is [images, channels,
 * side, side]. The k-th image token of the batch, row by row, gets the k-th feature.
 *
 *	squares_begin ; squares_words ; x = the embeddings of these words ; squares_merge
 */
#ifndef MODEL_SQUARES_H
#define MODEL_SQUARES_H

#include "model.h"
#include "siglip.h"

/* The first member of a family's config. */
struct squares_config {
	struct siglip_config vision;
	int64_t image_token_id; /* may be above the vocabulary; such ids are looked up as 0 */
	int64_t image_tokens;   /* of each image */
};

/* For `struct model`. */
extern const struct model_input squares_inputs[]; /* pixel_values */
struct sizes squares_trace_sizes(const void *config);
int64_t squares_image_tokens(const void *config, int h, int w);
int squares_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		      struct feeds *ret, struct err *e);

/* What these families have alike, for the row of one. */
/* clang-format off */
#define SQUARES_RETRIEVER                                                                                    \
	.image_inputs = squares_inputs, .plans = PLAN_TEXT | PLAN_IMAGE, .image_tokens = squares_image_tokens, \
	.trace_sizes = squares_trace_sizes, .case_make = squares_case_make
/* clang-format on */

/* Takes pixels float [images, channels, side, side], returns float [images*image_tokens, hidden]. */
typedef struct ir_value *(*squares_features_fn)(struct trace *t, const void *config, struct ir_value *pixels);

/* A graph while it is built. */
struct squares_build {
	const struct squares_config *c;
	enum variant variant;
	squares_features_fn features;
	struct blk_text in;
	struct ir_value *pixels; /* NULL in a text graph, as is: */
	struct ir_value *flag;   /* bool [batch, sequence]: the id is the image token's */
	struct ir_value *any;    /* in a unified graph: whether there is an image token */
	struct ir_value *x;
};

struct squares_build squares_begin(struct trace *t, const void *config, enum variant v,
				   squares_features_fn features);

/* The ids to look up, all below `vocab`: int64 [batch, sequence]. */
struct ir_value *squares_words(struct trace *t, const struct squares_build *b, int64_t vocab);

/*
 * x [batch, sequence, hidden] with the features of the images instead of the image tokens. A unified graph computes the
 * features only if there are image tokens.
 */
struct ir_value *squares_merge(struct trace *t, struct squares_build *b, struct ir_value *x);

#endif
