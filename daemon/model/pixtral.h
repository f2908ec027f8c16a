/*
 * The Pixtral vision tower over images of any size, and the merger that makes one token of a square of patches.
 *
 * The images of a batch are padded on the right and below to the largest one. Everything that depends on an image's own
 * size is computed from its row of `image_sizes`, so that padding may hold anything. The k-th image token of the batch,
 * row by row, belongs to the k-th feature of the images, in order.
 */
#ifndef MODEL_PIXTRAL_H
#define MODEL_PIXTRAL_H

#include "blocks.h"
#include "checkpoint/config_scope.h"
#include "model.h"

struct pixtral_config {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t head_dim; /* hidden_size / num_attention_heads; a multiple of 4 */
	int64_t intermediate_size;
	int64_t num_channels;
	int64_t patch_size; /* pixels on each side of a patch */
	double theta;       /* of the rotary positions */
	bool gelu;          /* the activation is the exact GELU, else SiLU */
	int64_t used;       /* layers whose output counts: the last ones may be left out */

	/* Not in `vision_config`: the family sets these. */
	int64_t merge;  /* patches on each side of a token */
	int64_t out;    /* width of a token */
	double out_eps; /* of the norm before the merger */
	bool out_bias;  /* of the merger's two layers */
};

/* Reads `vision_config`, with the class's own fallbacks. E_BAD_CHECKPOINT or E_UNSUPPORTED_MODEL names the key. */
int pixtral_config_read(const struct config_scope *s, struct pixtral_config *c, struct err *e);

/*
 * For the `struct model` of a family whose config begins with a pixtral_config: pixel_values [images, channels, height,
 * width] and image_sizes [images, 2], each image's height and width in pixels.
 */
extern const struct model_input pixtral_inputs[];
struct sizes pixtral_trace_sizes(const void *config);
int64_t pixtral_image_tokens(const void *config, int h, int w);
int64_t pixtral_token_side(const void *config);
int pixtral_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		      struct feeds *ret, struct err *e);

/* The inputs for images. */
struct pixtral_fed {
	struct ir_value *pixels; /* float [images, channels, height, width] */
	struct ir_value *h, *w;  /* int64 [images], in pixels */
};

struct pixtral_fed pixtral_fed(struct trace *t, const struct pixtral_config *c);

/* What replaces the embeddings of image tokens. */
struct pixtral_features {
	struct ir_value *rows;     /* float [images*tokens of the largest image, out] */
	struct ir_value *index;    /* int64 [batch*sequence]: the row of each image token */
	struct ir_value *is_image; /* bool [batch, sequence] */
};

/*
 * `flag`, bool [batch, sequence], marks the ids of image tokens. The call fails when sizes, pixels and image tokens do not
 * match.
 */
struct pixtral_features pixtral_build(struct trace *t, const struct pixtral_config *c,
				      const struct pixtral_fed *in, const struct blk_text *text,
				      struct ir_value *flag);

#endif
