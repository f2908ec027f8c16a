#include "base/str.h"
#include "mkcheckpoint.h"

MKC_SIZES_EMBED(collfm2)

/* clang-format off */
/* As the author's class saves it: with transformers 5, with 4, and with its config alone, which names its base. */
static const struct mkc_layout layouts[] = {
	{"sauerkraut5", false, true, true,
	 {{"vis.", "model.vision_tower."}, {"mmproj.", "model.multi_modal_projector."}, {"lm.", "model.language_model."},
	  {"proj.", "custom_text_proj."}}},
	{"sauerkraut", false, true, false,
	 {{"vis.", "model.vision_tower.vision_model."}, {"mmproj.", "model.multi_modal_projector."},
	  {"lm.", "model.language_model."}, {"proj.", "model.custom_text_proj."}}},
	{"minimal", false, false, false,
	 {{"vis.", "model.vision_tower.vision_model."}, {"mmproj.", "model.multi_modal_projector."},
	  {"lm.", "model.language_model."}, {"proj.", "model.custom_text_proj."}}},
	{.name = NULL},
};
/* clang-format on */

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	static const char *const keys[] = {"image_token_id", "projector_hidden_size"};
	json_t *top, *vision;
	size_t i;

	top = json_pack("{s:[O], s:O, s:s, s:O}", "architectures", json_object_get(params, "class"),
			"model_type", json_object_get(params, "model_type"), "base_model",
			"LiquidAI/LFM2-VL-450M", "dim", json_object_get(params, "embedding_dim"));
	if (!l->text_config)
		return top;
	vision = json_deep_copy(json_object_get(params, "vision"));
	(void)json_object_set_new(vision, "model_type", json_string("siglip2_vision_model"));
	(void)json_object_set_new(top, "vision_config", vision);
	(void)json_object_set_new(top, "text_config", mkc_text_config(params, l, "lfm2"));
	for (i = 0; i < ARRAY_LEN(keys); i++)
		(void)json_object_set(top, keys[i], json_object_get(params, keys[i]));
	return top;
}

const struct mkc_arch mkc_collfm2 = {"collfm2", MKC_SIZES(collfm2), layouts, config};
