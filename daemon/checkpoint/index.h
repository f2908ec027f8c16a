/*
 * model.safetensors.index.json: which tensor lies in which shard.
 *
 *	{"metadata": {...}, "weight_map": {"lm.norm.weight": "model-00001-of-00002.safetensors", ...}}
 */
#ifndef CHECKPOINT_INDEX_H
#define CHECKPOINT_INDEX_H

#include "base/json.h"
#include "safetensors.h"

#define INDEX_NAME "model.safetensors.index.json"
#define INDEX_SHARDS_MAX 1000

/*
 * Opens every shard that the index of this folder names, in order of their names, and holds
 * index and shards against each other. The caller frees the files and the array.
 */
int index_open(const char *dir, struct st_file ***ret, size_t *ret_count, struct err *e);

/* The names of the shards alone, as the keys of an object that the caller frees. Opens none of them. */
int index_names(const char *path, json_t **ret, struct err *e);

#endif
