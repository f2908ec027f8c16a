#include "mkcheckpoint.h"

json_t *
mkc_text_config(const json_t *params, const struct mkc_layout *l, const char *model_type)
{
	json_t *text = json_deep_copy(json_object_get(params, "text"));

	(void)json_object_set_new(text, "model_type", json_string(model_type));
	if (!l->v5)
		return text;
	(void)json_object_set_new(text, "rope_parameters",
				  json_pack("{s:s, s:O}", "rope_type", "default", "rope_theta",
					    json_object_get(text, "rope_theta")));
	(void)json_object_del(text, "rope_theta");
	return text;
}
