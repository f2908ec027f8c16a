/* config.json up to the values that a family reads. Whatever is accepted must be safe to compute with. */
#include "fuzz.h"

#include "checkpoint/config.h"
#include "model/model.h"

static void
config_use(const struct model *m, const void *config)
{
	const struct model_tokens tokens = m->tokens(config);
	const struct model_input *in;
	struct sizes sizes = m->trace_sizes(config);
	struct shape shape;
	int i;

	assert(tokens.vocab > 0 && tokens.vocab <= 1 << 24);
	assert(model_words(&tokens) >= 0);
	assert(sizes.of[SYM_BATCH] > 0 && sizes.of[SYM_SEQUENCE] > 0);
	for (i = 2; i <= 128; i *= 2)
		assert(m->image_tokens(config, i, i) > 0);
	for (in = m->image_inputs; in->name; in++) {
		shape = in->shape(config);
		assert(shape.rank > 0);
	}
}

static int
config_try(const json_t *json, struct err *e)
{
	struct model_found found;
	const struct model *m;
	void *config;
	int r;

	r = config_quantized(json, e);
	if (r == 0)
		r = model_find(json, HEAD_AUTO, &found, e);
	if (r < 0)
		return r;
	m = found.model;
	config = calloc(1, m->config_size);
	if (!config)
		abort();
	r = m->config_read(json, /*ck=*/NULL, &found, config, e);
	if (r == 0)
		config_use(m, config);
	free(config);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err e = ERR_INIT;
	json_auto_t *json = NULL;

	if (json_parse((const char *)data, len, "config.json", E_BAD_CHECKPOINT, &json, &e) == 0 &&
	    json_is_object(json))
		(void)config_try(json, &e);
	assert(e.code == 0 || ((e.code == E_BAD_CHECKPOINT || e.code == E_UNSUPPORTED_MODEL) && e.msg[0]));
	return 0;
}
