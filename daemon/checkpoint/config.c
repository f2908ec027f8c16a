#include "config.h"

#include "adapter_config.h"
#include "base/fs.h"
#include "base/str.h"
#include "sniff.h"

static const char *
str_or(const json_t *v, const char *otherwise)
{
	return json_is_string(v) ? json_string_value(v) : otherwise;
}

/* Places where library versions put their quantization settings; "" is the top level. */
static const char *const quantization_places[] = {"", "vlm_config", "text_config", "vision_config",
						  "llm_config"};
static const char *const quantization_keys[] = {"quantization_config", "compression_config"};

static const char *
quantization_method(const json_t *q)
{
	const char *method = str_or(json_object_get(q, "quant_method"), "");

	if (*method)
		return method;
	if (json_is_true(json_object_get(q, "load_in_4bit")) ||
	    json_is_true(json_object_get(q, "load_in_8bit")))
		return "bitsandbytes";
	return "an unnamed method";
}

int
config_quantized(const json_t *config, struct err *e)
{
	const json_t *place, *q;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(quantization_places); i++) {
		place = *quantization_places[i] ? json_object_get(config, quantization_places[i]) : config;
		for (k = 0; k < ARRAY_LEN(quantization_keys); k++) {
			q = json_object_get(place, quantization_keys[k]);
			if (json_object_size(q))
				return err_set(
					e, E_UNSUPPORTED_MODEL,
					"config.json: the weights are quantized by '%s' (%s); convert the "
					"checkpoint that they were made from, and let the conversion "
					"round its weights",
					quantization_method(q), quantization_keys[k]);
		}
	}
	return 0;
}

/* The text of config.json, of the file at `path`. */
static int
config_parse(const char *text, size_t len, const char *path, json_t **ret, struct err *e)
{
	json_auto_t *config = NULL;
	int r = sniff_check(text, len, E_BAD_CHECKPOINT, e);

	if (r < 0)
		return err_context(e, "'%s'", path);
	r = json_parse(text, len, path, E_BAD_CHECKPOINT, &config, e);
	if (r < 0)
		return r;
	if (!json_is_object(config))
		return err_set(e, E_BAD_CHECKPOINT, "'%s' must hold a JSON object", path);
	r = config_quantized(config, e);
	if (r == 0)
		*ret = TAKE(config);
	return r;
}

int
config_read(struct folder *dir, json_t **ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(folder_path(dir), CONFIG_NAME), *text = NULL;
	size_t len;
	int r;

	if (!path)
		return err_no_memory(e);
	if (!folder_has(dir, CONFIG_NAME) && folder_has(dir, ADAPTER_CONFIG_NAME))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "'%s' is an adapter itself: merge it into its base and give the result",
			       folder_path(dir));
	if (!folder_has(dir, CONFIG_NAME))
		return err_set(e, E_BAD_CHECKPOINT, "'%s' has no " CONFIG_NAME, folder_path(dir));
	r = folder_read(dir, CONFIG_NAME, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, &text, &len, e);
	return r < 0 ? r : config_parse(text, len, path, ret, e);
}
