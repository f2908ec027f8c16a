#include "mkcheckpoint.h"

/* clang-format off */
static const struct mkc_size sizes[] = {
	{"tiny", "fp32", 1, MKC_JSON({
		"embedding_dim": 128,
		"image_token_id": 301, "video_token_id": 302, "vision_start_token_id": 303, "vision_end_token_id": 304,
		"text": {
			"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
			"intermediate_size": 128, "vocab_size": 320, "hidden_act": "silu", "rms_norm_eps": 1e-6,
			"rope_theta": 1000000.0, "mrope_section": [2, 3, 3]
		},
		"vision": {
			"depth": 3, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 4,
			"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2
		}
	})},
	{"2b", "bf16", 2, MKC_JSON({
		"embedding_dim": 128,
		"image_token_id": 151655, "video_token_id": 151656,
		"vision_start_token_id": 151652, "vision_end_token_id": 151653,
		"text": {
			"hidden_size": 1536, "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
			"intermediate_size": 8960, "vocab_size": 151936, "hidden_act": "silu", "rms_norm_eps": 1e-6,
			"rope_theta": 1000000.0, "mrope_section": [16, 24, 24],
			"use_sliding_window": false, "sliding_window": 32768, "max_window_layers": 28
		},
		"vision": {
			"depth": 32, "embed_dim": 1280, "num_heads": 16, "mlp_ratio": 4,
			"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2
		}
	})},
	{.name = NULL},
};
/* clang-format on */

#define HF_PROJ                                  \
	{                                        \
		"proj.", "embedding_proj_layer." \
	}
#define ENGINE_PROJ                          \
	{                                    \
		"proj.", "custom_text_proj." \
	}

static const struct mkc_layout layouts[] = {
	{"A", true, true, true, {{"vis.", "vlm.visual."}, {"lm.", "vlm.language_model."}, HF_PROJ}},
	{"B",
	 true,
	 true,
	 false,
	 {{"vis.", "vlm.model.visual."}, {"lm.", "vlm.model.language_model."}, HF_PROJ}},
	{"C", true, false, false, {{"vis.", "vlm.visual."}, {"lm.", "vlm.model."}, HF_PROJ}},
	{"D", false, false, false, {{"vis.", "visual."}, {"lm.", "model."}, ENGINE_PROJ}},
	{"E", false, true, true, {{"vis.", "visual."}, {"lm.", "language_model."}, ENGINE_PROJ}},
	{"F", false, true, false, {{"vis.", "model.visual."}, {"lm.", "model.language_model."}, ENGINE_PROJ}},
	{.name = NULL},
};

/* Rotary settings as the library version of the layout spells them, instead of the two plain keys. */
static json_t *
text_config(const json_t *params, const struct mkc_layout *l)
{
	json_t *text = json_deep_copy(json_object_get(params, "text"));
	json_t *theta = json_object_get(text, "rope_theta"),
	       *sections = json_object_get(text, "mrope_section");

	if (l->v5)
		(void)json_object_set_new(text, "rope_parameters",
					  json_pack("{s:s, s:O, s:O}", "rope_type", "default", "rope_theta",
						    theta, "mrope_section", sections));
	else
		(void)json_object_set_new(
			text, "rope_scaling",
			json_pack("{s:s, s:O}", "type", "mrope", "mrope_section", sections));
	(void)json_object_del(text, "mrope_section");
	if (l->v5)
		(void)json_object_del(text, "rope_theta");
	return text;
}

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vlm = json_deep_copy(params), *text = text_config(params, l), *vision, *top;

	vision = json_deep_copy(json_object_get(params, "vision"));
	(void)json_object_set(vision, "hidden_size", json_object_get(text, "hidden_size"));
	(void)json_object_set_new(vision, l->v5 ? "in_channels" : "in_chans", json_integer(3));
	(void)json_object_del(vlm, "embedding_dim");
	(void)json_object_del(vlm, "text");
	(void)json_object_del(vlm, "vision");
	(void)json_object_set_new(vlm, "model_type", json_string("qwen2_vl"));
	(void)json_object_set_new(vlm, "vision_config", vision);
	if (l->text_config) {
		(void)json_object_set_new(text, "model_type", json_string("qwen2_vl_text"));
		(void)json_object_set_new(vlm, "text_config", text);
	} else {
		(void)json_object_update(vlm, text);
		json_decref(text);
	}
	if (!l->vlm_config) {
		(void)json_object_set_new(vlm, "architectures", json_pack("[s]", "ColQwen2"));
		return vlm;
	}
	top = json_pack("{s:[s], s:s, s:O, s:o}", "architectures", "ColQwen2ForRetrieval", "model_type",
			"colqwen2", "embedding_dim", json_object_get(params, "embedding_dim"), "vlm_config",
			vlm);
	return top;
}

const struct mkc_arch mkc_colqwen2 = {"colqwen2", sizes, layouts, config};
