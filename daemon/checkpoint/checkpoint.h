/*
 * A checkpoint folder: config.json and its weights under canonical names.
 *
 * Weights are views of mapped safetensors files (model.safetensors, else the shards of
 * model.safetensors.index.json) and are never copied. Canonical names (names.h) are the same for every library
 * version that wrote the file: `vis.*` (vision tower), `lm.*` (language model), `proj.*` (projection), `mmproj.*`.
 *
 * Under a LoRA adapter config.json and the weights are those of its base, changed by the adapter
 * (adapter.h). adapter_find.h says which folders these are.
 *
 * Pickled weights (.bin, .pt, .pth, .ckpt) are never read.
 */
#ifndef CHECKPOINT_CHECKPOINT_H
#define CHECKPOINT_CHECKPOINT_H

#include "adapter_find.h"
#include "base/json.h"
#include "index.h"
#include "weight.h"

struct checkpoint;

#define CHECKPOINT_TASK_ALL "all"

/* What the job says about adapters, and which folders it may read. */
struct checkpoint_choice {
	const char *base; /* folder of its base; NULL: the one that the adapter names */
	enum adapter_use adapter;
	const char *
		task; /* of an adapter that has several, or CHECKPOINT_TASK_ALL; NULL: the only one, or none */
	struct folder_roots roots; /* each folder must lie below one of these, or opening it fails with
                                    * E_NOT_ALLOWED */
};

/*
 * Opens and checks everything that can be checked without knowing the architecture. `choice` may be NULL.
 *
 * E_BAD_CHECKPOINT: missing or damaged file, index and shards that disagree, two tensors with
 * one canonical name, an adapter whose base is not found or does not fit. E_BAD_REQUEST: a task that the adapter does
 * not have, or none where it has several. E_UNSUPPORTED_MODEL: quantized weights, a model under PEFT that
 * was not merged, an adapter that cannot be merged.
 */
int checkpoint_open(const char *dir, const struct checkpoint_choice *choice, struct checkpoint **ret,
		    struct err *e);
void checkpoint_free(struct checkpoint **c);

const char *checkpoint_dir(const struct checkpoint *c);     /* holds config.json: with an adapter, the folder
                                                         * of its base */
const char *checkpoint_adapter(const struct checkpoint *c); /* its folder; NULL: no adapter */

const char *
checkpoint_task(const struct checkpoint *c); /* whose adapter it is; NULL: of no task, or of all */

/* The tasks whose factors are weights of their own (adapter_keep()); 0 unless the job asks for all. */
size_t checkpoint_task_count(const struct checkpoint *c);
const char *checkpoint_task_name(const struct checkpoint *c, size_t i);

/*
 * Both as folders, to open further files in them; the second may be NULL. Their folder_check() also covers
 * the files that were read here.
 */
struct folder *checkpoint_folder(const struct checkpoint *c);
struct folder *checkpoint_adapter_folder(const struct checkpoint *c);
bool checkpoint_adapter_within(
	const struct checkpoint *c); /* the adapter lies in a folder of the model's own folder */

typedef void (*checkpoint_progress_fn)(void *arg, uint64_t done, uint64_t total, const char *name);

/*
 * Changes the base as peft does when it loads an adapter with the PiSSA or OLoRA init. Call it before any
 * weight is read. It takes seconds per weight, and keeps rank * (in + out) floats for each.
 */
int checkpoint_init_apply(struct checkpoint *c, weight_init_fn find, checkpoint_progress_fn progress,
			  void *arg, struct err *e);

const json_t *checkpoint_config(const struct checkpoint *c); /* the parsed config.json, an object */

size_t checkpoint_count(const struct checkpoint *c);
const struct weight *checkpoint_get(const struct checkpoint *c, size_t i); /* sorted by canonical name */
const struct weight *checkpoint_find(const struct checkpoint *c, const char *name);

/* Weight files, for the manifest: the shards first, the adapter's file last. */
size_t checkpoint_file_count(const struct checkpoint *c);
const struct st_file *checkpoint_file(const struct checkpoint *c, size_t i);

/* Tensors that the index names and no file has; empty for a checkpoint without an index. */
const struct index_lost *checkpoint_lost(const struct checkpoint *c);

struct name_rule; /* names.h */

/*
 * Renames weights by the rules of their family, and drops the weights that a rule drops. E_BAD_CHECKPOINT
 * when two weights then have the same name.
 */
int checkpoint_rename(struct checkpoint *c, const struct name_rule *rules, struct err *e);

/*
 * Makes the Dense module beside a backbone (modules.h) its projection, `proj.*`; where the model has a projection of its own, the
 * module is left out. Call it after checkpoint_rename().
 */
int checkpoint_dense_use(struct checkpoint *c, struct err *e);

/*
 * The weight with that name and exactly that shape. Otherwise E_BAD_CHECKPOINT with a message that names
 * the tensor as the files spell it, its file, the shape found and the shape wanted.
 */
int checkpoint_require(const struct checkpoint *c, const char *name, int rank, const int64_t *shape,
		       const struct weight **ret, struct err *e);

/*
 * Fails for a weight that cannot be used in a computation: it is empty, or its elements are not floating
 * point.
 */
int checkpoint_usable(const struct checkpoint *c, const struct weight *w, struct err *e);

/*
 * Always fails: names the missing weight as the files would spell it, and gives the reason when the files
 * show one.
 */
int checkpoint_missing(const struct checkpoint *c, const char *name, struct err *e);

/* Finds "student.custom_text_proj.weight" for proj.weight: the name behind an unknown prefix. NULL: not found. */
const struct weight *checkpoint_find_wrapped(const struct checkpoint *c, const char *name);

#endif
