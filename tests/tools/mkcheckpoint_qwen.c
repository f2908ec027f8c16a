#include "base/str.h"
#include "mkcheckpoint.h"

MKC_SIZES_EMBED(colqwen2)
MKC_SIZES_EMBED(colqwen2_5)
MKC_SIZES_EMBED(colqwen3)
MKC_SIZES_EMBED(colqwen_omni)

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

/* As colpali-engine 0.3.18 saves it, with the names since transformers 5.24, and within a whole Qwen2.5-Omni. */
static const struct mkc_layout layouts_omni[] = {
	{"engine",
	 false,
	 true,
	 true,
	 {{"vis.", "visual."}, {"lm.", "model."}, {"proj.", "base_model.model.custom_text_proj."}}},
	{"v524",
	 false,
	 true,
	 true,
	 {{"vis.", "model.visual."}, {"lm.", "model.language_model."}, ENGINE_PROJ}},
	{"whole", false, true, true, {{"vis.", "thinker.visual."}, {"lm.", "thinker.model."}, ENGINE_PROJ}},
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

json_t *
mkc_qwen_config(const json_t *params, const struct mkc_layout *l)
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
	json_t *top = mkc_qwen_config(params, l), *dim = json_object_get(params, "embedding_dim");
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
	json_t *top = mkc_qwen_config(params, l);

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

static json_t *
config_omni(const json_t *params, const struct mkc_layout *l)
{
	json_t *thinker = mkc_qwen_config(params, l);

	if (!str_eq(l->name, "whole"))
		return thinker;
	return json_pack("{s:[O], s:s, s:o, s:{}, s:{}}", "architectures", json_object_get(params, "class"),
			 "model_type", "qwen2_5_omni", "thinker_config", thinker, "talker_config",
			 "token2wav_config");
}

const struct mkc_arch mkc_colqwen2 = {"colqwen2", MKC_SIZES(colqwen2), layouts, mkc_qwen_config};
const struct mkc_arch mkc_colqwen2_5 = {"colqwen2_5", MKC_SIZES(colqwen2_5), layouts, mkc_qwen_config};
const struct mkc_arch mkc_jina_v4 = {"jina_v4", MKC_SIZES(colqwen2_5), layouts_jina, config_jina};
const struct mkc_arch mkc_colqwen3 = {"colqwen3", MKC_SIZES(colqwen3), layouts3, config3};
const struct mkc_arch mkc_colqwen_omni = {"colqwen_omni", MKC_SIZES(colqwen_omni), layouts_omni, config_omni};
