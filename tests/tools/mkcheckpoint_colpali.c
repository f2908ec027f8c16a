#include "mkcheckpoint.h"

/* clang-format off */
static const struct mkc_size sizes[] = {
	{"tiny", "fp32", 1, MKC_JSON({
		"embedding_dim": 128, "image_token_index": 301,
		"text": {
			"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 1,
			"head_dim": 16, "intermediate_size": 128, "vocab_size": 320,
			"hidden_act": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "rope_theta": 10000.0
		},
		"vision": {
			"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64,
			"image_size": 56, "patch_size": 14, "vision_use_head": false
		}
	})},
	{"3b", "bf16", 2, MKC_JSON({
		"embedding_dim": 128, "image_token_index": 257152,
		"text": {
			"hidden_size": 2048, "num_hidden_layers": 18, "num_attention_heads": 8, "num_key_value_heads": 1,
			"head_dim": 256, "intermediate_size": 16384, "vocab_size": 257216,
			"hidden_act": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "rope_theta": 10000.0
		},
		"vision": {
			"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16, "intermediate_size": 4304,
			"image_size": 448, "patch_size": 14, "vision_use_head": false
		}
	})},
	{.name = NULL},
};
/* clang-format on */

#define PREFIXES(wrap, vis, lm, proj)                                                             \
	{                                                                                         \
		{"vis.", wrap vis}, {"mmproj.", wrap "multi_modal_projector."}, {"lm.", wrap lm}, \
		{                                                                                 \
			"proj.", proj "."                                                         \
		}                                                                                 \
	}
#define HF(wrap, vis, lm) PREFIXES(wrap, vis, lm, "embedding_proj_layer")
#define ENGINE(wrap, vis, lm) PREFIXES(wrap, vis, lm, "custom_text_proj")

static const struct mkc_layout layouts[] = {
	{"native", true, true, true, HF("vlm.", "vision_tower.", "language_model.")},
	{"hub", true, true, false, HF("vlm.", "vision_tower.vision_model.", "language_model.model.")},
	{"saved", true, true, true, HF("vlm.", "vision_tower.", "language_model.model.")},
	{"fresh", true, true, false, HF("vlm.model.", "vision_tower.vision_model.", "language_model.")},
	{"engine", false, true, false,
	 ENGINE("model.", "vision_tower.vision_model.", "language_model.model.")},
	{"engine5", false, true, true, ENGINE("model.model.", "vision_tower.", "language_model.")},
	{.name = NULL},
};

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vision = json_deep_copy(json_object_get(params, "vision")), *vlm;

	(void)json_object_set_new(vision, "model_type", json_string("siglip_vision_model"));
	vlm = json_pack("{s:s, s:O, s:o, s:o}", "model_type", "paligemma", "image_token_index",
			json_object_get(params, "image_token_index"), "text_config",
			mkc_text_config(params, l, "gemma"), "vision_config", vision);
	(void)json_object_set(vlm, "projection_dim",
			      json_object_get(json_object_get(params, "text"), "hidden_size"));
	if (!l->vlm_config) {
		(void)json_object_set_new(vlm, "architectures", json_pack("[s]", "ColPali"));
		return vlm;
	}
	return json_pack("{s:[s], s:s, s:O, s:o}", "architectures", "ColPaliForRetrieval", "model_type",
			 "colpali", "embedding_dim", json_object_get(params, "embedding_dim"), "vlm_config",
			 vlm);
}

const struct mkc_arch mkc_colpali = {"colpali", sizes, layouts, config};
