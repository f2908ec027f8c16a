#include "mkcheckpoint.h"

MKC_SIZES_EMBED(colgemma3)

/* clang-format off */
/* As colpali-engine saves with transformers 5, and as with 4. */
static const struct mkc_layout layouts[] = {
	{"engine5", false, true, true,
	 {{"vis.", "vision_tower."}, {"mmproj.", "multi_modal_projector."}, {"lm.", "language_model."},
	  {"proj.", "custom_text_proj."}}},
	{"engine", false, true, false,
	 {{"vis.", "vision_tower.vision_model."}, {"mmproj.", "multi_modal_projector."},
	  {"lm.", "language_model.model."}, {"proj.", "custom_text_proj."}}},
	{.name = NULL},
};
/* clang-format on */

static json_t *
text_config(const json_t *params, const struct mkc_layout *l)
{
	json_t *text = json_deep_copy(json_object_get(params, "text")), *full;

	(void)json_object_set_new(text, "model_type", json_string("gemma3_text"));
	if (!l->v5)
		return text;
	full = json_deep_copy(json_object_get(text, "rope_scaling"));
	(void)json_object_set_new(full, "rope_theta", json_real(1e6));
	(void)json_object_set_new(text, "rope_parameters",
				  json_pack("{s:o, s:{s:s, s:f}}", "full_attention", full,
					    "sliding_attention", "rope_type", "default", "rope_theta", 1e4));
	(void)json_object_del(text, "rope_scaling");
	return text;
}

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	static const char *const keys[] = {"image_token_index", "boi_token_index", "eoi_token_index",
					   "mm_tokens_per_image"};
	json_t *vision = json_deep_copy(json_object_get(params, "vision")), *top;
	size_t i;

	(void)json_object_set_new(vision, "model_type", json_string("siglip_vision_model"));
	top = json_pack("{s:[s], s:s, s:o, s:o}", "architectures", "ColGemma3", "model_type", "gemma3",
			"text_config", text_config(params, l), "vision_config", vision);
	for (i = 0; i < ARRAY_LEN(keys); i++)
		(void)json_object_set(top, keys[i], json_object_get(params, keys[i]));
	return top;
}

const struct mkc_arch mkc_colgemma3 = {"colgemma3", MKC_SIZES(colgemma3), layouts, config};
