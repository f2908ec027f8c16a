/*
 * Shared by the retrievers with Gemma decoders: scaled word embeddings, and square images of a fixed size
 * from a SigLIP tower, each with the same number of tokens.
 */
#ifndef MODEL_GEMMA_H
#define MODEL_GEMMA_H

#include "decoder.h"
#include "model.h"
#include "pooling.h"
#include "siglip.h"

#define GEMMA_LAYERS_MAX 1000

struct gemma_text {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t num_key_value_heads;
	int64_t head_dim; /* even; heads * head_dim need not be hidden_size */
	int64_t intermediate_size;
	int64_t vocab_size;
	double rms_norm_eps;
};

/* The first member of a family's config. */
struct gemma_config {
	struct gemma_text text;
	struct siglip_config vision;
	int64_t image_token_id; /* may be above the vocabulary; such ids are looked up as 0 */
	int64_t image_tokens;   /* of each image */
	struct pooling_head head;
};

/*
 * Reads the keys of `text_config` that all Gemma decoders have. On entry *t holds the values of missing
 * keys; 0: the key is required. E_BAD_CHECKPOINT or E_UNSUPPORTED_MODEL names the key.
 */
int gemma_text_read(const struct config_scope *s, struct gemma_text *t, struct err *e);

/* For `struct model`. */
extern const struct model_input gemma_inputs[]; /* pixel_values */
struct sizes gemma_trace_sizes(const void *config);
int64_t gemma_image_tokens(const void *config, int h, int w);
int gemma_case_make(const struct model *m, const void *config, const struct plan *plan, uint64_t seed,
		    struct feeds *ret, struct err *e);

/* What these families have alike, for the row of one. */
/* clang-format off */
#define GEMMA_RETRIEVER                                                                                      \
	.image_inputs = gemma_inputs, .plans = PLAN_TEXT | PLAN_IMAGE, .image_tokens = gemma_image_tokens,   \
	.trace_sizes = gemma_trace_sizes, .case_make = gemma_case_make
/* clang-format on */

/* Takes pixels float [images, channels, side, side], returns float [images*image_tokens, hidden]. */
typedef struct ir_value *(*gemma_features_fn)(struct trace *t, const void *config, struct ir_value *pixels);

/* A graph after its inputs were declared. */
struct gemma_build {
	const struct gemma_config *c;
	gemma_features_fn features;
	struct blk_text in;
	struct ir_value *pixels; /* NULL in a text graph, as is: */
	struct ir_value *flag;   /* bool [batch, sequence]: the id is the image token's */
	struct ir_value
		*x; /* float [batch, sequence, hidden]: words, scaled; features of images, not scaled */
};

/* A unified graph computes the features only when there are image tokens. */
struct gemma_build gemma_begin(struct trace *t, const void *config, enum variant v,
			       gemma_features_fn features);

/* The facts that all Gemma decoders share. */
struct decoder gemma_decoder(const struct gemma_text *c);

#endif
