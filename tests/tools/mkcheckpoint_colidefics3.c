#include "mkcheckpoint.h"

MKC_SIZES_EMBED(colidefics3)

/* clang-format off */
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

const struct mkc_arch mkc_colidefics3 = {"colidefics3", MKC_SIZES(colidefics3), layouts, config};
