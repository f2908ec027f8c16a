#include "base/str.h"
#include "mkcheckpoint.h"

MKC_SIZES_EMBED(colqwen3_5)

/*
 * As colpali-engine saves it, with Qwen's own names, the same with the rotary settings of transformers 4, within a
 * wrapper, and as topk-io publishes it.
 */
static const struct mkc_layout layouts[] = {
	{"engine",
	 false,
	 true,
	 true,
	 {{"vis.", "visual."}, {"lm.", "language_model."}, {"proj.", "custom_text_proj."}}},
	{"hub",
	 false,
	 true,
	 true,
	 {{"vis.", "model.visual."}, {"lm.", "model.language_model."}, {"proj.", "custom_text_proj."}}},
	{"v4",
	 false,
	 true,
	 false,
	 {{"vis.", "model.visual."}, {"lm.", "model.language_model."}, {"proj.", "custom_text_proj."}}},
	{"vlm",
	 false,
	 true,
	 true,
	 {{"vis.", "vlm.model.visual."},
	  {"lm.", "vlm.model.language_model."},
	  {"proj.", "embedding_proj_layer."}}},
	{"topk",
	 false,
	 true,
	 true,
	 {{"vis.", "model.visual."}, {"lm.", "model.language_model."}, {"proj.", "head."}}},
	{.name = NULL},
};

/* Qwen's files have the rotated part of a head among the rotary settings; transformers 4 has it beside them. */
static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *top = mkc_qwen_config(params, l), *text = json_object_get(top, "text_config");

	(void)json_object_set(top, "dim", json_object_get(params, "embedding_dim"));
	if (l->v5) {
		(void)json_object_set(json_object_get(text, "rope_parameters"), "partial_rotary_factor",
				      json_object_get(text, "partial_rotary_factor"));
		(void)json_object_del(text, "partial_rotary_factor");
	}
	if (str_eq(l->name, "vlm"))
		(void)json_object_set_new(top, "model_type", json_string("colqwen3_5"));
	if (str_eq(l->name, "topk")) {
		(void)json_object_set_new(top, "model_type", json_string("topk_embed"));
		(void)json_object_set_new(top, "architectures", json_pack("[s]", "TopkEmbedModel"));
		(void)json_object_set_new(text, "is_causal", json_false());
	} else {
		(void)json_object_set_new(top, "retrieval_attention_contract", json_string("causal"));
	}
	return top;
}

const struct mkc_arch mkc_colqwen3_5 = {"colqwen3_5", MKC_SIZES(colqwen3_5), layouts, config};
