#include "base/str.h"
#include "mkcheckpoint.h"

/* clang-format off */
static const struct mkc_size sizes2[] = {
	{"tiny", "fp32", 1, MKC_JSON({
		"class": "ColQwen2", "model_type": "qwen2_vl", "embedding_dim": 128,
		"image_token_id": 301, "video_token_id": 302, "vision_start_token_id": 303, "vision_end_token_id": 304,
		"text": {
			"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
			"intermediate_size": 128, "vocab_size": 320, "hidden_act": "silu", "rms_norm_eps": 1e-6,
			"rope_theta": 1000000.0, "mrope_section": [2, 3, 3]
		},
		"vision": {
			"depth": 3, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 4,
			"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2
		}
	})},
	{"2b", "bf16", 2, MKC_JSON({
		"class": "ColQwen2", "model_type": "qwen2_vl", "embedding_dim": 128,
		"image_token_id": 151655, "video_token_id": 151656,
		"vision_start_token_id": 151652, "vision_end_token_id": 151653,
		"text": {
			"hidden_size": 1536, "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
			"intermediate_size": 8960, "vocab_size": 151936, "hidden_act": "silu", "rms_norm_eps": 1e-6,
			"rope_theta": 1000000.0, "mrope_section": [16, 24, 24],
			"use_sliding_window": false, "sliding_window": 32768, "max_window_layers": 28
		},
		"vision": {
			"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "num_heads": 16, "mlp_ratio": 4,
			"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2
		}
	})},
	{.name = NULL},
};

static const struct mkc_size sizes2_5[] = {
	{"tiny", "fp32", 1, MKC_JSON({
		"class": "ColQwen2_5", "model_type": "qwen2_5_vl", "embedding_dim": 128,
		"image_token_id": 301, "video_token_id": 302, "vision_start_token_id": 303, "vision_end_token_id": 304,
		"text": {
			"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
			"intermediate_size": 128, "vocab_size": 320, "hidden_act": "silu", "rms_norm_eps": 1e-6,
			"rope_theta": 1000000.0, "mrope_section": [2, 3, 3]
		},
		"vision": {
			"depth": 3, "hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 60, "num_heads": 2,
			"hidden_act": "silu", "window_size": 56, "fullatt_block_indexes": [1], "tokens_per_second": 2,
			"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2
		}
	})},
	{"3b", "bf16", 2, MKC_JSON({
		"class": "ColQwen2_5", "model_type": "qwen2_5_vl", "embedding_dim": 128,
		"image_token_id": 151655, "video_token_id": 151656,
		"vision_start_token_id": 151652, "vision_end_token_id": 151653,
		"text": {
			"hidden_size": 2048, "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2,
			"intermediate_size": 11008, "vocab_size": 151936, "hidden_act": "silu", "rms_norm_eps": 1e-6,
			"rope_theta": 1000000.0, "mrope_section": [16, 24, 24],
			"use_sliding_window": false, "sliding_window": 32768, "max_window_layers": 70
		},
		"vision": {
			"depth": 32, "hidden_size": 1280, "out_hidden_size": 2048, "intermediate_size": 3420, "num_heads": 16,
			"hidden_act": "silu", "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2,
			"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2
		}
	})},
	{.name = NULL},
};

static const struct mkc_size sizes3[] = {
	{"tiny", "fp32", 1, MKC_JSON({
		"class": "ColQwen3", "model_type": "qwen3_vl", "embedding_dim": 128,
		"image_token_id": 301, "video_token_id": 302, "vision_start_token_id": 303, "vision_end_token_id": 304,
		"text": {
			"hidden_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
			"head_dim": 16, "intermediate_size": 96, "vocab_size": 320, "hidden_act": "silu", "rms_norm_eps": 1e-6,
			"rope_theta": 5000000.0, "mrope_section": [4, 2, 2], "attention_bias": false
		},
		"vision": {
			"depth": 3, "hidden_size": 32, "out_hidden_size": 40, "intermediate_size": 60, "num_heads": 2,
			"hidden_act": "gelu_pytorch_tanh", "num_position_embeddings": 36, "deepstack_visual_indexes": [0, 1],
			"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2
		}
	})},
	{"4b", "bf16", 2, MKC_JSON({
		"class": "ColQwen3", "model_type": "qwen3_vl", "embedding_dim": 320,
		"image_token_id": 151655, "video_token_id": 151656,
		"vision_start_token_id": 151652, "vision_end_token_id": 151653,
		"text": {
			"hidden_size": 2560, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
			"head_dim": 128, "intermediate_size": 9728, "vocab_size": 151936, "hidden_act": "silu", "rms_norm_eps": 1e-6,
			"rope_theta": 5000000.0, "mrope_section": [24, 20, 20], "attention_bias": false
		},
		"vision": {
			"depth": 24, "hidden_size": 1024, "out_hidden_size": 2560, "intermediate_size": 4096, "num_heads": 16,
			"hidden_act": "gelu_pytorch_tanh", "num_position_embeddings": 2304, "deepstack_visual_indexes": [5, 11, 17],
			"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2
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

/* jina-embeddings-v4 with one of its adapters merged, and without them: `--adapter --tasks` makes them. */
static const struct mkc_layout layouts_jina[] = {
	{"merged",
	 false,
	 true,
	 false,
	 {{"vis.", "visual."}, {"lm.", "model."}, {"proj.", "multi_vector_projector."}}},
	{"published",
	 false,
	 true,
	 false,
	 {{"vis.", "visual."}, {"lm.", "model."}, {"proj.", "multi_vector_projector."}}},
	{.name = NULL},
};

/* Qwen3-VL was published with the newer names only. */
static const struct mkc_layout layouts3[] = {
	{"engine",
	 false,
	 true,
	 true,
	 {{"vis.", "model.visual."}, {"lm.", "model.language_model."}, {"proj.", "model.custom_text_proj."}}},
	{"tomoro",
	 false,
	 true,
	 false,
	 {{"vis.", "vlm.model.visual."}, {"lm.", "vlm.model.language_model."}, HF_PROJ}},
	{"ops", false, true, true, {{"vis.", "visual."}, {"lm.", "language_model."}, ENGINE_PROJ}},
	{"nemotron", false, true, true, {{"vis.", "model.visual."}, {"lm.", "model.language_model."}}},
	{.name = NULL},
};

/* Rotary settings as the library version of the layout spells them, instead of the two plain keys. */
static json_t *
text_config(const json_t *params, const struct mkc_layout *l)
{
	json_t *text = json_deep_copy(json_object_get(params, "text")), *rope;

	rope = json_pack("{s:O}", "mrope_section", json_object_get(text, "mrope_section"));
	(void)json_object_set_new(rope, l->v5 ? "rope_type" : "type",
				  json_string(l->v5 ? "default" : "mrope"));
	if (json_object_get(text, "head_dim"))
		(void)json_object_set_new(rope, "mrope_interleaved", json_true());
	if (l->v5) {
		(void)json_object_set(rope, "rope_theta", json_object_get(text, "rope_theta"));
		(void)json_object_del(text, "rope_theta");
	}
	(void)json_object_set_new(text, l->v5 ? "rope_parameters" : "rope_scaling", rope);
	(void)json_object_del(text, "mrope_section");
	return text;
}

/* The backbone's: params without what is of the retriever. */
static json_t *
backbone_config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vlm = json_deep_copy(params), *text = text_config(params, l), *vision;
	char type[32];

	vision = json_deep_copy(json_object_get(params, "vision"));
	(void)json_object_set_new(vision, l->v5 ? "in_channels" : "in_chans", json_integer(3));
	(void)json_object_del(vlm, "embedding_dim");
	(void)json_object_del(vlm, "class");
	(void)json_object_del(vlm, "text");
	(void)json_object_del(vlm, "vision");
	(void)json_object_set_new(vlm, "vision_config", vision);
	if (!l->text_config) {
		(void)json_object_update(vlm, text);
		json_decref(text);
		return vlm;
	}
	(void)snprintf(type, sizeof(type), "%s_text",
		       json_string_value(json_object_get(params, "model_type")));
	(void)json_object_set_new(text, "model_type", json_string(type));
	(void)json_object_set_new(vlm, "text_config", text);
	return vlm;
}

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vlm = backbone_config(params, l);

	if (!l->vlm_config) {
		(void)json_object_set_new(vlm, "architectures",
					  json_pack("[O]", json_object_get(params, "class")));
		return vlm;
	}
	return json_pack("{s:[s], s:s, s:O, s:o}", "architectures", "ColQwen2ForRetrieval", "model_type",
			 "colqwen2", "embedding_dim", json_object_get(params, "embedding_dim"), "vlm_config",
			 vlm);
}

/* Each publisher of ColQwen3 has a class and a model_type, and says the width in a key of its own. */
static json_t *
config3(const json_t *params, const struct mkc_layout *l)
{
	json_t *top = config(params, l), *dim = json_object_get(params, "embedding_dim");
	const char *type = NULL, *class = NULL;

	if (str_eq(l->name, "tomoro")) {
		type = "colqwen3";
		(void)json_object_set(top, "embed_dim", dim);
	} else if (str_eq(l->name, "ops")) {
		type = "ops_colqwen3";
		class = "OpsColQwen3Model";
		(void)json_object_set_new(top, "dims", json_integer(24));
	} else if (str_eq(l->name, "nemotron")) {
		type = "qwen3_vl_nemotron_embed";
		class = "Qwen3VLNemotronEmbedModel";
		(void)json_object_set_new(top, "pooling", json_string("colbert"));
	}
	if (type)
		(void)json_object_set_new(top, "model_type", json_string(type));
	if (class)
		(void)json_object_set_new(top, "architectures", json_pack("[s]", class));
	return top;
}

/* The published config.json has the text's keys twice, and no model_type. */
static json_t *
config_jina(const json_t *params, const struct mkc_layout *l)
{
	json_t *top = config(params, l);

	(void)json_object_update_missing(top, json_object_get(top, "text_config"));
	(void)json_object_set(top, "multi_vector_projector_dim", json_object_get(params, "embedding_dim"));
	(void)json_object_set_new(top, "task_names",
				  json_pack("[s, s, s]", "retrieval", "text-matching", "code"));
	(void)json_object_set_new(
		top, "architectures",
		json_pack("[s]", str_eq(l->name, "merged") ? "JinaV4MultiVector" : "JinaEmbeddingsV4Model"));
	if (!str_eq(l->name, "merged"))
		(void)json_object_del(top, "model_type");
	return top;
}

const struct mkc_arch mkc_colqwen2 = {"colqwen2", sizes2, layouts, config};
const struct mkc_arch mkc_colqwen2_5 = {"colqwen2_5", sizes2_5, layouts, config};
const struct mkc_arch mkc_jina_v4 = {"jina_v4", sizes2_5, layouts_jina, config_jina};
const struct mkc_arch mkc_colqwen3 = {"colqwen3", sizes3, layouts3, config3};
