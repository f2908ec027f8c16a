#include "mkcheckpoint.h"

/* clang-format off */
#define SMOL(hidden, layers, heads, kv, inner) MKC_JSON({                                                            \
		"embedding_dim": 128, "image_token_id": 49190, "scale_factor": 4,                                    \
		"text": {                                                                                            \
			"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,            \
			"num_key_value_heads": kv, "head_dim": 64, "intermediate_size": inner, "vocab_size": 49280,  \
			"hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 100000.0                           \
		},                                                                                                   \
		"vision": {                                                                                          \
			"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,                      \
			"intermediate_size": 3072, "image_size": 512, "patch_size": 16                               \
		}                                                                                                    \
	})

static const struct mkc_size sizes[] = {
	{"tiny", "fp32", 1, MKC_JSON({
		"embedding_dim": 128, "image_token_id": 301, "scale_factor": 2,
		"text": {
			"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
			"head_dim": 16, "intermediate_size": 96, "vocab_size": 320,
			"hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 100000.0
		},
		"vision": {
			"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
			"intermediate_size": 64, "image_size": 16, "patch_size": 2
		}
	})},
	{"256m", "fp32", 1, SMOL(576, 30, 9, 3, 1536)},
	{"500m", "fp32", 1, SMOL(960, 32, 15, 5, 2560)},
	{.name = NULL},
};

#define NAMES {{"vis.", "model.vision_model."}, {"connector.", "model.connector.modality_projection.proj."}, \
	       {"lm.", "model.text_model."}, {"proj.", "linear."}}

static const struct mkc_layout layouts[] = {
	{"engine", false, true, false, NAMES},
	{"engine5", false, true, true, NAMES},
	{.name = NULL},
};
/* clang-format on */

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vision = json_deep_copy(json_object_get(params, "vision"));

	(void)json_object_set_new(vision, "model_type", json_string(l->v5 ? "idefics3_vision" : "idefics3"));
	return json_pack("{s:[s], s:s, s:O, s:O, s:o, s:o}", "architectures", "ColIdefics3", "model_type",
			 "idefics3", "image_token_id", json_object_get(params, "image_token_id"),
			 "scale_factor", json_object_get(params, "scale_factor"), "text_config",
			 mkc_text_config(params, l, "llama"), "vision_config", vision);
}

const struct mkc_arch mkc_colidefics3 = {"colidefics3", sizes, layouts, config};
