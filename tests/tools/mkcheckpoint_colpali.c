#include "mkcheckpoint.h"

MKC_SIZES_EMBED(colpali)

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

const struct mkc_arch mkc_colpali = {"colpali", MKC_SIZES(colpali), layouts, config};
