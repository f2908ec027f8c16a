/*
 * A LoRA adapter's tensors, put on the weights of its base.
 *
 *	base_model.model.M.lora_A.weight, .lora_B.weight         a delta of M.weight
 *	base_model.model.M.lora_embedding_A, .lora_embedding_B   the same of an embedding
 *	base_model.model.M.lora_magnitude_vector                 DoRA's part of that delta
 *	base_model.model.M.lora_B.bias                           a delta of M.bias
 *	base_model.model.M.token_adapter.trainable_tokens_delta  rows in the place of some of M.weight
 *	base_model.model.M.weight, M.base_layer.bias, ...        takes the base's place
 */
#ifndef CHECKPOINT_ADAPTER_H
#define CHECKPOINT_ADAPTER_H

#include "adapter_config.h"
#include "weight.h"

#define ADAPTER_WEIGHTS_NAME "adapter_model.safetensors"

/*
 * `weights` are sorted by name and have room for st_count(f) more: a projection that the base lacks
 * comes behind them. E_BAD_CHECKPOINT and E_UNSUPPORTED_MODEL name the tensor: each is used or refused.
 */
int adapter_apply(struct adapter_config *c, const struct st_file *f, struct weight *weights, size_t *count,
		  struct err *e);

#endif
