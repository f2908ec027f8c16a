/*
 * adapter_config.json of a LoRA adapter, as peft writes it.
 *
 * Which modules are adapted is for the tensors to say: target_modules and the like are not
 * looked at. What would change the result and is not merged here is refused by its key.
 */
#ifndef CHECKPOINT_ADAPTER_CONFIG_H
#define CHECKPOINT_ADAPTER_CONFIG_H

#include "base/json.h"

#define ADAPTER_CONFIG_NAME "adapter_config.json"

struct adapter_pattern;

/* {"q_proj": 16}: regular expressions of a module's path, each with its value, in the file's order. */
struct adapter_patterns {
	struct adapter_pattern *item;
	size_t n;
};

struct adapter_config {
	json_t *json;
	const char *base; /* base_model_name_or_path; NULL: not there */
	const char *init; /* init_lora_weights where it needs another base (pissa...); NULL: it does not */
	int64_t r;
	double alpha;
	bool rslora, dora;
	struct adapter_patterns r_of, alpha_of;
};

#define ADAPTER_CONFIG_INIT  \
	{                    \
		.json = NULL \
	}

int adapter_config_read(const char *path, struct adapter_config *ret, struct err *e);
void adapter_config_release(struct adapter_config *c);

/* Of the module of that path, whose tensors have `rank` rows and columns: what B A is multiplied with. */
int adapter_config_scale(const struct adapter_config *c, const char *module, int64_t rank, float *ret,
			 struct err *e);

#endif
