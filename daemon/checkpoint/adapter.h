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
#include "adapter_task.h"
#include "weight.h"

#define ADAPTER_WEIGHTS_NAME "adapter_model.safetensors"

/* The name of the weight that holds the factors A, or B, of all tasks: the weight's own without ".weight", then 'A' or 'B'. */
#define ADAPTER_FACTOR_FORMAT "lora.%.*s.%c"

/*
 * Every tensor of the adapter is used, or refused with its name (E_BAD_CHECKPOINT, E_UNSUPPORTED_MODEL). Of an adapter
 * for several tasks only the tensors of `task`, which the file has, are used; NULL is for an adapter without tasks.
 * E_BAD_REQUEST for a tensor of no task where one is given.
 *
 * `weights` are sorted by name and have room for st_count(f) more: a projection that only the adapter has is
 * appended.
 */
int adapter_apply(struct adapter_config *c, const char *task, const struct st_file *f, struct weight *weights,
		  size_t *count, struct err *e);

/*
 * Leaves the weights as the base has them, and adds the factors of all tasks as weights of their own: for a weight
 * W [out, in] with adapters, A [ranks, in] and B [out, ranks], where the ranks of the tasks follow one another in the
 * order of `tasks`, and B is scaled. E_UNSUPPORTED_MODEL for an adapter that has more than factors, such as DoRA.
 */
int adapter_keep(struct adapter_config *c, const struct adapter_tasks *tasks, const struct st_file *f,
		 struct weight *weights, size_t *count, struct err *e);

#endif
