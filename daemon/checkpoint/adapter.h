/*
 * Puts the tensors of a LoRA adapter on the weights of its base.
 *
 *	base_model.model.M.lora_A.weight, .lora_B.weight         a delta of M.weight
 *	base_model.model.M.lora_embedding_A, .lora_embedding_B   the same of an embedding
 *	base_model.model.M.lora_magnitude_vector                 the lengths of that delta's rows (DoRA)
 *	base_model.model.M.lora_B.bias                           a delta of M.bias
 *	base_model.model.M.token_adapter.trainable_tokens_delta  replaces some rows of M.weight
 *	base_model.model.M.weight, M.base_layer.bias, ...        replaces the base's tensor
 *	base_model.model.M.lora_A.TASK.weight, .lora_B.TASK...   a delta that belongs to one task of several
 */
#ifndef CHECKPOINT_ADAPTER_H
#define CHECKPOINT_ADAPTER_H

#include "adapter_config.h"
#include "weight.h"

#define ADAPTER_WEIGHTS_NAME "adapter_model.safetensors"

/*
 * Every tensor of the adapter is used, or refused with its name (E_BAD_CHECKPOINT, E_UNSUPPORTED_MODEL). Of an adapter
 * for several tasks only the tensors of `task` are used; NULL is for an adapter without tasks. E_BAD_REQUEST when the
 * one is given for the other, or the file has no such task.
 *
 * `weights` are sorted by name and have room for st_count(f) more: a projection that only the adapter has is
 * appended.
 */
int adapter_apply(struct adapter_config *c, const char *task, const struct st_file *f, struct weight *weights,
		  size_t *count, struct err *e);

#endif
