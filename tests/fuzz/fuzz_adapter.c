/* adapter_config.json. An accepted file must give an answer for any module within the budget of steps. */
#include "fuzz.h"

#include <math.h>

#include "checkpoint/adapter_config.h"

#define STEPS 100000
#define TOKENS 3
#define ROWS 7

static const char *const modules[] = {
	"model.layers.0.self_attn.q_proj",
	"language_model.layers.27.mlp.down_proj",
	"custom_text_proj",
	"visual.patch_embed.proj",
	"embed_tokens",
	"",
};

static void
module_check(struct adapter_config *c, const char *module)
{
	int64_t tokens[TOKENS], rank;
	float scale;
	size_t i;

	for (rank = 1; rank <= 16; rank *= 2)
		if (adapter_config_scale(c, module, rank, &scale, NULL) == 0)
			assert(isfinite(scale));
	if (adapter_config_tokens(c, module, ROWS, tokens, TOKENS, NULL) == 0)
		for (i = 0; i < TOKENS; i++)
			assert(tokens[i] >= 0 && tokens[i] < ROWS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct adapter_config c = ADAPTER_CONFIG_INIT;
	struct err e = ERR_INIT;
	size_t i;

	if (adapter_config_parse((const char *)data, len, "input", &c, &e) < 0) {
		assert((e.code == E_BAD_CHECKPOINT || e.code == E_UNSUPPORTED_MODEL) && e.msg[0]);
		return 0;
	}
	c.steps = STEPS;
	for (i = 0; i < ARRAY_LEN(modules); i++)
		module_check(&c, modules[i]);
	adapter_config_release(&c);
	return 0;
}
