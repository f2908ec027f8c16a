#include "mkcheckpoint.h"

MKC_SIZES_EMBED(nemotron_vl)

/* clang-format off */
static const struct mkc_layout layouts[] = {
	{"published", false, true, false,
	 {{"vis.", "vision_model.vision_model."}, {"lm.", "language_model."}, {"", ""}}},
	{"inner", false, true, false, /* the older form */
	 {{"vis.", "vision_model.vision_model."}, {"lm.", "language_model.model."}, {"", ""}}},
	{"v5", false, true, true,
	 {{"vis.", "vision_model."}, {"lm.", "language_model."}, {"", ""}}},
	{.name = NULL},
};
/* clang-format on */

/* Each length of the first training has its own frequencies, so it is a hyper-parameter. */
static json_t *
llm_config(const json_t *params, const struct mkc_layout *l)
{
	json_t *text = json_deep_copy(json_object_get(params, "text")), *theta, *rope;

	theta = json_incref(json_object_get(text, "rope_theta"));
	rope = json_pack("{s:s, s:f, s:f, s:f, s:O}", "rope_type", "llama3", "factor", 32.0,
			 "low_freq_factor", 1.0, "high_freq_factor", 4.0, "original_max_position_embeddings",
			 json_object_get(text, "original"));
	(void)json_object_del(text, "original");
	(void)json_object_set_new(text, "model_type", json_string("llama_bidirec"));
	(void)json_object_set_new(text, "architectures", json_pack("[s]", "LlamaBidirectionalModel"));
	if (l->v5) {
		(void)json_object_del(text, "rope_theta");
		(void)json_object_set(rope, "rope_theta", theta);
	}
	(void)json_object_set_new(text, l->v5 ? "rope_parameters" : "rope_scaling", rope);
	json_decref(theta);
	return text;
}

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vision = json_deep_copy(json_object_get(params, "vision"));

	(void)json_object_set_new(vision, "model_type", json_string("siglip_vision_model"));
	return json_pack("{s:[s], s:s, s:O, s:O, s:i, s:s, s:s, s:o, s:o}", "architectures",
			 "LlamaNemotronVLModel", "model_type", "llama_nemotron_vl", "img_context_token_id",
			 json_object_get(params, "img_context_token_id"), "downsample_ratio",
			 json_object_get(params, "downsample_ratio"), "select_layer", -1, "ps_version", "v2",
			 "pooling", "colbert", "llm_config", llm_config(params, l), "vision_config", vision);
}

const struct mkc_arch mkc_nemotron_vl = {"nemotron_vl", MKC_SIZES(nemotron_vl), layouts, config};
