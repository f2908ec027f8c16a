/*
 * Reads config.json of LFM2-VL, and that of ColLFM2, which names its base and may leave the sizes out: then they are those
 * of LFM2-VL-450M. All returned values are checked, so a graph can be built without further checks.
 */
#ifndef MODEL_LFM2_CONFIG_H
#define MODEL_LFM2_CONFIG_H

#include "naflex.h"
#include "pooling.h"
#include "rope.h"

#define LFM2_LAYERS_MAX 1000

struct lfm2_text {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t num_key_value_heads;
	int64_t head_dim; /* even */
	int64_t ff;       /* inner width of the feed-forward parts */
	int64_t vocab_size;
	int64_t kernel;             /* tokens that a convolution sees: one and those before it */
	bool conv[LFM2_LAYERS_MAX]; /* by layer: it has a convolution, not attention */
	bool conv_bias;
	double norm_eps;
	struct rope rope; /* plain */
};

struct lfm2_config {
	struct naflex_config images; /* first: the functions of naflex.h read it */
	struct lfm2_text text;
	struct pooling_head head; /* only its dim is read from config.json; the family sets the rest */
};

/*
 * With `ck` the kinds of the layers, the width of the feed-forward parts and the projector's norm are those that the
 * tensors have. Errors begin with "config.json: " and name the key in full: E_BAD_CHECKPOINT for a value that is
 * wrong, E_UNSUPPORTED_MODEL for one that is right but not converted.
 */
int lfm2_config_read(const json_t *config, const struct checkpoint *ck, struct lfm2_config *ret,
		     struct err *e);

#endif
