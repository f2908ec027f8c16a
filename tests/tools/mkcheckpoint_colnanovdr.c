#include "mkcheckpoint.h"

MKC_SIZES_EMBED(colnanovdr)

/* clang-format off */
/* All weights are in one file; a test that converts it adds modules.json and the settings of the weighing. */
static const struct mkc_layout layouts[] = {
	{"published", false, true, false,
	 {{"lm.", ""}, {"proj.", "custom_text_proj."}, {"", ""}}},
	{.name = NULL},
};
/* clang-format on */

static json_t *
config(const json_t *params, const struct mkc_layout *l)
{
	json_t *text = json_deep_copy(json_object_get(params, "text"));

	(void)l;
	(void)json_object_set_new(text, "model_type", json_string("modernbert"));
	(void)json_object_set_new(text, "architectures", json_pack("[s]", "ModernBertModel"));
	return text;
}

const struct mkc_arch mkc_colnanovdr = {"colnanovdr", MKC_SIZES(colnanovdr), layouts, config};
