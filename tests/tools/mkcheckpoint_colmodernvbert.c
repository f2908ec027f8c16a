#include "mkcheckpoint.h"

/* clang-format off */
static const struct mkc_size sizes[] = {
	{"tiny", "fp32", 1, MKC_JSON({
		"embedding_dim": 128, "image_token_id": 318, "pixel_shuffle_factor": 2, "additional_vocab_size": 8,
		"text": {
			"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 96,
			"vocab_size": 312, "hidden_activation": "gelu", "norm_eps": 1e-5, "norm_bias": false,
			"attention_bias": false, "mlp_bias": false, "local_attention": 16,
			"global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0
		},
		"vision": {
			"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64,
			"image_size": 24, "patch_size": 4, "layer_norm_eps": 1e-6, "vision_use_head": false
		}
	})},
	{"250m", "fp32", 1, MKC_JSON({
		"embedding_dim": 128, "image_token_id": 50407, "pixel_shuffle_factor": 4, "additional_vocab_size": 40,
		"text": {
			"hidden_size": 768, "num_hidden_layers": 22, "num_attention_heads": 12, "intermediate_size": 1152,
			"vocab_size": 50368, "hidden_activation": "gelu", "norm_eps": 1e-5, "norm_bias": false,
			"attention_bias": false, "mlp_bias": false, "local_attention": 128,
			"global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 160000.0
		},
		"vision": {
			"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
			"image_size": 512, "patch_size": 16, "layer_norm_eps": 1e-6, "vision_use_head": false
		}
	})},
	{.name = NULL},
};

/* Today's engine saves the text under PEFT's prefix although there is no adapter; the older one has two tables of words. */
static const struct mkc_layout layouts[] = {
	{"hf", true, true, true,
	 {{"vis.", "vlm.vision_model."}, {"connector.", "vlm.connector.modality_projection."},
	  {"lm.", "vlm.text_model."}, {"proj.", "embedding_proj_layer."}}},
	{"engine", false, true, true,
	 {{"vis.", "model.vision_model."}, {"connector.", "model.connector.modality_projection."},
	  {"lm.", "base_model.model.model.text_model."}, {"proj.", "base_model.model.custom_text_proj."}}},
	{"legacy", false, true, false,
	 {{"vis.", "model.vision_model."}, {"connector.", "model.connector.modality_projection.proj."},
	  {"lm.", "model.text_model."}, {"proj.", "custom_text_proj."}}},
	{.name = NULL},
};
/* clang-format on */

static json_t *
theta(json_t *text, const char *key)
{
	json_t *rope =
		json_pack("{s:s, s:O}", "rope_type", "default", "rope_theta", json_object_get(text, key));

	(void)json_object_del(text, key);
	return rope;
}

/* Both tables of words are one since version 5 of transformers, which is also where the thetas moved. */
static json_t *
text_config(const json_t *params, const struct mkc_layout *l)
{
	json_t *text = json_deep_copy(json_object_get(params, "text"));
	const json_int_t more = json_integer_value(json_object_get(params, "additional_vocab_size"));
	json_int_t words = json_integer_value(json_object_get(text, "vocab_size"));
	json_t *full, *local;

	(void)json_object_set_new(text, "model_type", json_string(l->v5 ? "modernbert" : "modernbert_text"));
	if (!l->v5)
		return text;
	(void)json_object_set_new(text, "vocab_size", json_integer(words + more));
	full = theta(text, "global_rope_theta");
	local = theta(text, "local_rope_theta");
	(void)json_object_set_new(
		text, "rope_parameters",
		json_pack("{s:o, s:o}", "full_attention", full, "sliding_attention", local));
	return text;
}

static json_t *
vision_config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vision = json_deep_copy(json_object_get(params, "vision"));

	(void)json_object_set_new(vision, "model_type",
				  json_string(l->v5 ? "siglip_vision_model" : "modernbert_vision"));
	if (l->v5)
		return vision;
	(void)json_object_set(vision, "embed_dim", json_object_get(vision, "hidden_size"));
	(void)json_object_del(vision, "hidden_size");
	return vision;
}

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vlm = json_pack("{s:s, s:O, s:O, s:o, s:o}", "model_type", "modernvbert", "image_token_id",
				json_object_get(params, "image_token_id"), "pixel_shuffle_factor",
				json_object_get(params, "pixel_shuffle_factor"), "text_config",
				text_config(params, l), "vision_config", vision_config(params, l));

	if (l->vlm_config)
		return json_pack("{s:[s], s:s, s:O, s:o}", "architectures", "ColModernVBertForRetrieval",
				 "model_type", "colmodernvbert", "embedding_dim",
				 json_object_get(params, "embedding_dim"), "vlm_config", vlm);
	if (!l->v5)
		(void)json_object_set(vlm, "additional_vocab_size",
				      json_object_get(params, "additional_vocab_size"));
	(void)json_object_set_new(vlm, "architectures", json_pack("[s]", "ColModernVBert"));
	return vlm;
}

const struct mkc_arch mkc_colmodernvbert = {"colmodernvbert", sizes, layouts, config};
