#include "mkcheckpoint.h"

MKC_SIZES_EMBED(granitevisionemb)

/* clang-format off */
static const struct mkc_layout layouts[] = {
	{"hub", false, true, false,
	 {{"vis.", "model.vision_tower.vision_model."}, {"mmproj.", "model.multi_modal_projector."}, {"lm.", "model.language_model.model."},
	  {"proj.", "custom_text_proj."}, {"image_newline", "model.image_newline"}}},
	{"newer", false, true, true,
	 {{"vis.", "model.vision_tower."}, {"mmproj.", "model.multi_modal_projector."}, {"lm.", "model.language_model."},
	  {"proj.", "custom_text_proj."}, {"image_newline", "model.image_newline"}}},
	{.name = NULL},
};
/* clang-format on */

/* Grids of 1 x 2 to 1 x 10 tiles, and so on, as the published model's. */
static json_t *
grids(int64_t side)
{
	static const int cols[] = {10, 5, 3, 2, 2, 1, 1, 1, 1, 1};
	json_t *list = json_array();
	size_t rows;
	int k;

	for (rows = 1; rows <= ARRAY_LEN(cols); rows++)
		for (k = rows == 1 ? 2 : 1; k <= cols[rows - 1]; k++)
			(void)json_array_append_new(list,
						    json_pack("[I, I]", side * (int64_t)rows, side * k));
	return list;
}

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vision = json_deep_copy(json_object_get(params, "vision")), *top;

	(void)json_object_set_new(vision, "model_type", json_string("siglip_vision_model"));
	top = json_pack("{s:[s], s:s, s:O, s:O, s:O, s:s, s:s, s:b, s:s, s:o, s:o}", "architectures",
			"GraniteVisionEmb", "model_type", "granitevisionemb", "emb_dim_query",
			json_object_get(params, "embedding_dim"), "image_token_index",
			json_object_get(params, "image_token_id"), "vision_feature_layer",
			json_object_get(params, "vision_feature_layer"), "vision_feature_select_strategy",
			"full", "projector_hidden_act", "gelu", "multimodal_projector_bias", true,
			"base_image_feature_location", "last", "text_config",
			mkc_text_config(params, l, "granite"), "vision_config", vision);
	(void)json_object_set_new(top, "image_grid_pinpoints",
				  grids(json_integer_value(json_object_get(vision, "image_size"))));
	return top;
}

const struct mkc_arch mkc_granitevisionemb = {"granitevisionemb", MKC_SIZES(granitevisionemb), layouts,
					      config};
