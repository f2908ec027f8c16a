#include "mkcheckpoint.h"

MKC_SIZES_EMBED(neomme)

/* clang-format off */
static const struct mkc_layout layouts[] = {
	{"hf", false, false, true,
	 {{"lm.embed_tokens.", "model.embed_tokens."}, {"lm.layers.", "model.layers."},
	  {"proj.", "multi_vector_head.proj."}, {"", "model."}}},
	{.name = NULL},
};
/* clang-format on */

/* A flat config.json; what it leaves out (windows, kinds of layers, positions) is the class's default. */
static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *j = json_deep_copy(params);

	(void)l;
	(void)json_object_set_new(j, "model_type", json_string("neomme"));
	(void)json_object_set_new(j, "architectures", json_pack("[s]", "NeoMMEForRetrieval"));
	return j;
}

const struct mkc_arch mkc_neomme = {"neomme", MKC_SIZES(neomme), layouts, config};
