/*
 * The parts of config.json that matter for every family. Each family reads its own keys with config_scope.h.
 */
#ifndef CHECKPOINT_CONFIG_H
#define CHECKPOINT_CONFIG_H

#include "base/folder.h"
#include "base/json.h"

#define CONFIG_NAME "config.json"
#define CONFIG_LEN_MAX (1u << 20)

/*
 * Reads config.json of a folder. E_BAD_CHECKPOINT when it is missing or damaged, or is another file under that name;
 * E_UNSUPPORTED_MODEL as config_quantized().
 */
int config_read(struct folder *dir, json_t **ret, struct err *e);

/* E_UNSUPPORTED_MODEL, with the method, when config.json says that the weights are quantized. */
int config_quantized(const json_t *config, struct err *e);

#endif
