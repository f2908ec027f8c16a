/*
 * model.safetensors.index.json: which tensor lies in which shard.
 *
 *	{"metadata": {...}, "weight_map": {"lm.norm.weight": "model-00001-of-00002.safetensors", ...}}
 *
 * The file is mapped and read piece by piece, so that a hostile index costs no memory.
 */
#ifndef CHECKPOINT_INDEX_H
#define CHECKPOINT_INDEX_H

#include "base/json.h"
#include "safetensors.h"

#define WEIGHTS_NAME "model.safetensors"
#define INDEX_NAME "model.safetensors.index.json"
#define INDEX_SHARDS_MAX 1000
#define INDEX_TENSORS_MAX (1 << 19) /* in all shards together */

/*
 * Tensors that the index lists but no shard holds. Libraries list a tied lm_head or parts of a training
 * head that they did not save. This is an error only when the model needs such a tensor.
 */
struct index_lost {
	size_t count;
	char *name[32]; /* the first ones */
	char *shard[32];
};

void index_lost_release(struct index_lost *l);

struct shards {
	struct st_file **file; /* in order of their names */
	size_t count;
	struct index_lost lost;
};

void shards_release(struct shards *s);

/*
 * Opens every shard that the folder's index names, and compares the index with the shards: E_BAD_CHECKPOINT
 * when a shard is missing, or when a tensor lies in another shard than the index says. Release *ret after
 * success only.
 */
int index_open(struct folder *dir, struct shards *ret, struct err *e);

/* The same for an index whose text was already read. */
int index_open_text(struct folder *dir, const void *text, size_t len, struct shards *ret, struct err *e);

/* Only the names of the shards, as the keys of an object that the caller frees. The shards need not exist. */
int index_names(struct folder *dir, json_t **ret, struct err *e);

/* The same for an index whose text was already read. */
int index_names_text(struct folder *dir, const void *text, size_t len, json_t **ret, struct err *e);

/* E_BAD_CHECKPOINT when the folder does not have this shard. */
int index_shard_check(struct folder *dir, const char *name, struct err *e);

#endif
