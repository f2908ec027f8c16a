/*
 * Shared by the retrievers with Gemma decoders: scaled word embeddings, and the square images of squares.h from a SigLIP
 * tower.
 */
#ifndef MODEL_GEMMA_H
#define MODEL_GEMMA_H

#include "decoder.h"
#include "pooling.h"
#include "squares.h"

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
	struct squares_config images; /* first */
	struct gemma_text text;
	struct pooling_head head;
};

/*
 * Reads the keys of `text_config` that all Gemma decoders have. On entry *t holds the values of missing
 * keys; 0: the key is required. E_BAD_CHECKPOINT or E_UNSUPPORTED_MODEL names the key.
 */
int gemma_text_read(const struct config_scope *s, struct gemma_text *t, struct err *e);

/* What these families have alike: the words are scaled, the features of images are not. Afterwards .x is float [batch, sequence, hidden]. */
struct squares_build gemma_begin(struct trace *t, const void *config, enum variant v,
				 squares_features_fn features);

/* The facts that all Gemma decoders share. */
struct decoder gemma_decoder(const struct gemma_text *c);

#endif
