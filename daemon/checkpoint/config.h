/*
 * The parts of config.json that matter for every family. Each family reads its own keys with config_scope.h.
 */
#ifndef CHECKPOINT_CONFIG_H
#define CHECKPOINT_CONFIG_H

#include "base/json.h"

/* E_UNSUPPORTED_MODEL, with the method, when config.json says that the weights are quantized. */
int config_quantized(const json_t *config, struct err *e);

#endif
