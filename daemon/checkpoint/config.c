#include "config.h"

#include "base/str.h"

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
