#include "mkcheckpoint.h"

MKC_SIZES_EMBED(colmodernvbert)

/* clang-format off */
/* Today's engine saves the text under PEFT's prefix although there is no adapter; the older one has two tables of words. */
static const struct mkc_layout layouts[] = {
	{"hf", true, true, true,
	 {{"vis.", "vlm.vision_model."}, {"connector.", "vlm.connector.modality_projection."},
	  {"lm.", "vlm.text_model."}, {"proj.", "embedding_proj_layer."}}},
	{"engine", false, true, true,
	 {{"vis.", "model.vision_model."}, {"connector.", "model.connector.modality_projection."},
	  {"lm.", "base_model.model.model.text_model."}, {"proj.", "base_model.model.custom_text_proj."}}},
	{"legacy", false, true, false,
	 {{"vis.", "model.vision_model."}, {"connector.", "model.connector.modality_projection.proj."},
	  {"lm.", "model.text_model."}, {"proj.", "custom_text_proj."}}},
	{.name = NULL},
};
/* clang-format on */

static json_t *
theta(json_t *text, const char *key)
{
	json_t *rope =
		json_pack("{s:s, s:O}", "rope_type", "default", "rope_theta", json_object_get(text, key));

	(void)json_object_del(text, key);
	return rope;
}

/* Both tables of words are one since version 5 of transformers, which is also where the thetas moved. */
static json_t *
text_config(const json_t *params, const struct mkc_layout *l)
{
	json_t *text = json_deep_copy(json_object_get(params, "text"));
	const json_int_t more = json_integer_value(json_object_get(params, "additional_vocab_size"));
	json_int_t words = json_integer_value(json_object_get(text, "vocab_size"));
	json_t *full, *local;

	(void)json_object_set_new(text, "model_type", json_string(l->v5 ? "modernbert" : "modernbert_text"));
	if (!l->v5)
		return text;
	(void)json_object_set_new(text, "vocab_size", json_integer(words + more));
	full = theta(text, "global_rope_theta");
	local = theta(text, "local_rope_theta");
	(void)json_object_set_new(
		text, "rope_parameters",
		json_pack("{s:o, s:o}", "full_attention", full, "sliding_attention", local));
	return text;
}

static json_t *
vision_config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vision = json_deep_copy(json_object_get(params, "vision"));

	(void)json_object_set_new(vision, "model_type",
				  json_string(l->v5 ? "siglip_vision_model" : "modernbert_vision"));
	if (l->v5)
		return vision;
	(void)json_object_set(vision, "embed_dim", json_object_get(vision, "hidden_size"));
	(void)json_object_del(vision, "hidden_size");
	return vision;
}

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *vlm = json_pack("{s:s, s:O, s:O, s:o, s:o}", "model_type", "modernvbert", "image_token_id",
				json_object_get(params, "image_token_id"), "pixel_shuffle_factor",
				json_object_get(params, "pixel_shuffle_factor"), "text_config",
				text_config(params, l), "vision_config", vision_config(params, l));

	if (l->vlm_config)
		return json_pack("{s:[s], s:s, s:O, s:o}", "architectures", "ColModernVBertForRetrieval",
				 "model_type", "colmodernvbert", "embedding_dim",
				 json_object_get(params, "embedding_dim"), "vlm_config", vlm);
	if (!l->v5)
		(void)json_object_set(vlm, "additional_vocab_size",
				      json_object_get(params, "additional_vocab_size"));
	(void)json_object_set_new(vlm, "architectures", json_pack("[s]", "ColModernVBert"));
	return vlm;
}

const struct mkc_arch mkc_colmodernvbert = {"colmodernvbert", MKC_SIZES(colmodernvbert), layouts, config};
