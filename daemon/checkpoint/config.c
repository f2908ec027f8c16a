#include "config.h"

#include "base/str.h"

/* model_type of the top, that of vlm_config ("": there is none), and the family. */
static const struct {
	const char *type, *inner, *family;
} families[] = {
	{"colqwen2", "qwen2_vl", "colqwen2"},
	{"qwen2_vl", "", "colqwen2"},
	{"colpali", "paligemma", "colpali"},
	{"paligemma", "", "colpali"},
};

static const char *
str_or(const json_t *v, const char *otherwise)
{
	return json_is_string(v) ? json_string_value(v) : otherwise;
}

const char *
config_family(const json_t *config, struct err *e)
{
	const json_t *inner_obj = json_object_get(config, "vlm_config");
	const char *type = str_or(json_object_get(config, "model_type"), "none");
	const char *inner = str_or(json_object_get(inner_obj, "model_type"), "");
	const char *arch = str_or(json_array_get(json_object_get(config, "architectures"), 0), "none");
	size_t i;

	for (i = 0; i < ARRAY_LEN(families); i++)
		if (str_eq(type, families[i].type) && (!*inner || str_eq(inner, families[i].inner)))
			return families[i].family;
	(void)err_set(e, E_UNSUPPORTED_MODEL,
		      "config.json: model_type '%s'%s%s%s (architectures '%s') is not supported; supported "
		      "are ColQwen2 "
		      "(colqwen2, qwen2_vl) and ColPali (colpali, paligemma)",
		      type, *inner ? " over '" : "", inner, *inner ? "'" : "", arch);
	return NULL;
}
