/* The SigLIP vision tower: square images of a fixed size, cut into patches that all see each other. */
#ifndef MODEL_SIGLIP_H
#define MODEL_SIGLIP_H

#include "blocks.h"
#include "checkpoint/config_scope.h"

struct siglip_config {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t head_dim; /* hidden_size / num_attention_heads */
	int64_t intermediate_size;
	int64_t num_channels;
	int64_t image_size; /* pixels on each side; at least patch_size */
	int64_t patch_size;
	int64_t patches; /* patches of an image: (image_size / patch_size) squared */
	double layer_norm_eps;
};

/*
 * Reads `vision_config`; its model_type must be one of `types` (a list that ends with NULL). On entry *v
 * holds the values of missing keys; 0: the key is required. E_BAD_CHECKPOINT or E_UNSUPPORTED_MODEL names
 * the key.
 */
int siglip_config_read(const struct config_scope *s, const char *const types[], struct siglip_config *v,
		       struct err *e);

/* For images that do not fill their square. */
struct siglip_part {
	struct ir_value *place; /* int64 [images, patches]: row of the table of positions */
	struct ir_value *seen;  /* bool [images, patches]: which patches are seen */
};

/*
 * Takes pixels float [images, channels, side, side]; returns the last states, float [images, patches,
 * width]. Without `part` (NULL) all patches are seen, and each has its own row of the table.
 */
struct ir_value *siglip_build(struct trace *t, const struct siglip_config *c, struct ir_value *pixels,
			      const struct siglip_part *part);

/* Its layers and the last norm alone. x [images, patches, width]: patches with their positions; `seen` as above, or NULL. */
struct ir_value *siglip_layers(struct trace *t, const struct siglip_config *c, struct ir_value *x,
			       struct ir_value *seen);

/*
 * Pixel shuffle: the patches of each square of factor x factor are joined, row by row, into one long vector, which becomes
 * a token. x [images, patches, width] to [images*tokens, factor*factor*width]; `factor` divides the patches on a side.
 */
struct ir_value *siglip_shuffle(struct trace *t, const struct siglip_config *c, int64_t factor,
				struct ir_value *x);

#define SIGLIP_USED_MAX 4

/*
 * The outputs of `count` layers, from 1 to SIGLIP_USED_MAX, joined in the order of `used`, where 0 are the embeddings and k is layer k - 1.
 * No norm follows. Float [images, patches, count*width].
 */
struct ir_value *siglip_outputs(struct trace *t, const struct siglip_config *c, struct ir_value *pixels,
				const int64_t used[], int64_t count);

#endif
