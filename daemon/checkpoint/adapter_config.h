/*
 * adapter_config.json of a LoRA adapter, as peft writes it.
 *
 * The tensors say which modules are adapted: target_modules and the like are not read. A key that changes
 * the result in a way that is not merged here is refused by its name.
 */
#ifndef CHECKPOINT_ADAPTER_CONFIG_H
#define CHECKPOINT_ADAPTER_CONFIG_H

#include "base/folder.h"
#include "base/json.h"
#include "weight.h"

#define ADAPTER_CONFIG_NAME "adapter_config.json"

struct adapter_pattern;

/* {"q_proj": 16}: patterns for module paths with their values, in file order. */
struct adapter_patterns {
	struct adapter_pattern *item;
	size_t n;
};

struct adapter_config {
	json_t *json;
	const char *base;      /* base_model_name_or_path; NULL: absent */
	const json_t *tokens;  /* trainable_token_indices: a list, an object of lists, or NULL */
	enum weight_init init; /* what loading the adapter does to the base */
	int64_t r;
	double alpha;
	bool rslora, dora;
	struct adapter_patterns r_of, alpha_of;
	uint64_t steps; /* matching steps that the patterns may still use */
};

/* clang-format off */
#define ADAPTER_CONFIG_INIT { .json = NULL }
/* clang-format on */

int adapter_config_read(struct folder *dir, struct adapter_config *ret, struct err *e);

/* The same from a text in memory; `what` names it in errors. */
int adapter_config_parse(const char *text, size_t len, const char *what, struct adapter_config *ret,
			 struct err *e);
void adapter_config_release(struct adapter_config *c);

/* The factor of B A for the module with that path, whose A has `rank` rows. */
int adapter_config_scale(struct adapter_config *c, const char *module, int64_t rank, float *ret,
			 struct err *e);

/* Lists the `n` tokens whose rows the adapter replaces in the embedding with that path, which has `rows` rows. */
int adapter_config_tokens(const struct adapter_config *c, const char *module, int64_t rows, int64_t *ret,
			  size_t n, struct err *e);

#endif
