/*
 * A first look at a checkpoint, for a caller that cannot wait: the daemon's only thread, before it queues a job.
 *
 * It reads a bounded number of bytes of a bounded number of files and maps nothing, so that neither a huge file nor a
 * file that is truncated meanwhile harms the caller. It refuses nothing that checkpoint_open() would accept, in its
 * words, and passes whatever is too large for a glance.
 */
#ifndef CHECKPOINT_GLANCE_H
#define CHECKPOINT_GLANCE_H

#include "adapter_find.h"
#include "base/json.h"

/*
 * Looks at the folder of a model, of an adapter, or of both; `task`: its adapters/ go over the model. E_BAD_CHECKPOINT
 * for a file that is missing or is another file under its name, E_UNSUPPORTED_MODEL for quantized weights.
 * *ret_config is config.json, for the caller to free; NULL when the folder's model is not what is converted, or its
 * config.json is too large for a glance.
 */
int glance_checkpoint(struct folder *dir, enum adapter_use use, bool task, json_t **ret_config,
		      struct err *e);

/* Looks at the first bytes of one safetensors file. `code` as folder_open_file(). */
int glance_file(struct folder *dir, const char *name, int code, struct err *e);

bool glance_is_pickle(const char *name); /* a file that may hold pickled weights */

/* Always fails: the folder has `wanted`, such as "no weights"; `pickled` is a file of its pickled weights, or NULL. */
int glance_refuse(const char *dir, const char *wanted, const char *pickled, struct err *e);

/* What glance_refuse() says of a folder without weights. */
#define GLANCE_WEIGHTS "neither model.safetensors nor model.safetensors.index.json"

#endif
