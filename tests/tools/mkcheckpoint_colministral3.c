#include "mkcheckpoint.h"

MKC_SIZES_EMBED(colministral3)

/* clang-format off */
static const struct mkc_layout layouts[] = {
	{"hf", false, true, true,
	 {{"vis.", "vision_tower."}, {"mmproj.", "multi_modal_projector."}, {"lm.", "language_model.model."}, {"proj.", "custom_text_proj."}}},
	{"modules", false, true, true,
	 {{"vis.", "model.vision_tower."}, {"mmproj.", "model.multi_modal_projector."}, {"lm.", "model.language_model."},
	  {"proj.", "custom_text_proj."}}},
	{"engine", false, true, true,
	 {{"vis.", "base_model.model.vision_tower."}, {"mmproj.", "base_model.model.multi_modal_projector."},
	  {"lm.", "base_model.model.language_model."}, {"proj.", "custom_text_proj."}}},
	{.name = NULL},
};
/* clang-format on */

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *text = json_deep_copy(json_object_get(params, "text"));
	json_t *vision = json_deep_copy(json_object_get(params, "vision"));

	(void)l;
	(void)json_object_set_new(text, "model_type", json_string("ministral3"));
	(void)json_object_set_new(text, "sliding_window", json_null());
	(void)json_object_set_new(vision, "model_type", json_string("pixtral"));
	return json_pack("{s:[s], s:s, s:O, s:O, s:O, s:s, s:b, s:i, s:o, s:o}", "architectures",
			 "ColMinistral3", "model_type", "mistral3", "dim",
			 json_object_get(params, "embedding_dim"), "image_token_index",
			 json_object_get(params, "image_token_id"), "spatial_merge_size",
			 json_object_get(params, "spatial_merge_size"), "projector_hidden_act", "gelu",
			 "multimodal_projector_bias", false, "vision_feature_layer", -1, "text_config", text,
			 "vision_config", vision);
}

const struct mkc_arch mkc_colministral3 = {"colministral3", MKC_SIZES(colministral3), layouts, config};
