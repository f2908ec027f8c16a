/*
 * Hyper-parameters from config.json, in all the shapes that library versions wrote.
 *
 * The backbone's config lies in `vlm_config` (transformers' classes) or is the top object
 * (colpali-engine's). Inside it the text keys lie in `text_config` or, before 4.52, beside the
 * others; where there is a `text_config`, only that counts. Rotary settings are
 * `rope_parameters` (v5) or `rope_scaling` with a `rope_theta` beside it (v4).
 *
 * What comes back is checked: every value is in its range and fits the others, so a model
 * file may multiply and divide without looking. Errors name the key in full,
 * "config.json: vlm_config.text_config.num_hidden_layers must be from 1 to 1000": E_BAD_CHECKPOINT
 * for what is wrong, E_UNSUPPORTED_MODEL for what is right but not converted.
 */
#ifndef CHECKPOINT_CONFIG_H
#define CHECKPOINT_CONFIG_H

#include "base/json.h"

/* Which config_NAME below reads it: "colqwen2" or "colpali". NULL with E_UNSUPPORTED_MODEL for anything else.
 */
const char *config_family(const json_t *config, struct err *e);

/* E_UNSUPPORTED_MODEL, with the method, when config.json says that the weights are quantized. */
int config_quantized(const json_t *config, struct err *e);

struct qwen2vl_text {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t num_key_value_heads;
	int64_t head_dim; /* hidden_size / num_attention_heads; even */
	int64_t intermediate_size;
	int64_t vocab_size;
	double rms_norm_eps;
	double rope_theta;
	int64_t mrope_section[3]; /* of t, h, w; their sum is head_dim / 2 */
};

struct qwen2vl_vision {
	int64_t depth;
	int64_t embed_dim;
	int64_t num_heads;
	int64_t head_dim; /* embed_dim / num_heads; a multiple of 4 */
	int64_t mlp_dim;  /* inner width: embed_dim * mlp_ratio */
	int64_t in_channels;
	int64_t patch_size;
	int64_t spatial_merge_size; /* always 2 */
	int64_t temporal_patch_size;
};

struct qwen2vl_config {
	struct qwen2vl_text text;
	struct qwen2vl_vision vision;
	int64_t image_token_id; /* below vocab_size */
	int64_t video_token_id;
	int64_t vision_start_token_id;
	int64_t vision_end_token_id;
	int64_t embedding_dim; /* 0: config.json does not say; the rows of proj.weight do */
};

int config_qwen2vl(const json_t *config, struct qwen2vl_config *ret, struct err *e);

struct paligemma_text {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t num_key_value_heads;
	int64_t head_dim; /* even; heads * head_dim need not be hidden_size */
	int64_t intermediate_size;
	int64_t vocab_size;
	double rms_norm_eps;
	double rope_theta;
};

struct paligemma_vision {
	int64_t hidden_size;
	int64_t num_hidden_layers;
	int64_t num_attention_heads;
	int64_t head_dim; /* hidden_size / num_attention_heads */
	int64_t intermediate_size;
	int64_t num_channels;
	int64_t image_size;
	int64_t patch_size;
	int64_t patches; /* image tokens: (image_size / patch_size) squared */
	double layer_norm_eps;
};

struct paligemma_config {
	struct paligemma_text text;
	struct paligemma_vision vision;
	int64_t image_token_id; /* may be beyond the vocabulary: such ids are looked up as 0 */
	int64_t embedding_dim;  /* 0: config.json does not say; the rows of proj.weight do */
};

int config_paligemma(const json_t *config, struct paligemma_config *ret, struct err *e);

#endif
