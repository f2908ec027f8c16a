/*
 * Folders of Sentence Transformers: modules.json lists the modules that run one after the other, each with a folder of its
 * own. A module `Dense` is a linear map; behind a backbone it is the projection of a retriever:
 *
 *	modules.json                  [{"type": "...Transformer", "path": ""}, {"type": "...Dense", "path": "1_Dense"}, ...]
 *	1_Dense/config.json           {"activation_function", "module_input_name", "bias", ...}
 *	1_Dense/model.safetensors     linear.weight [out, in], linear.bias [out]?
 *
 * A folder without modules.json has no modules. E_BAD_CHECKPOINT when the path of a module that is asked for is not the name
 * of a folder beside modules.json.
 */
#ifndef CHECKPOINT_MODULES_H
#define CHECKPOINT_MODULES_H

#include "base/folder.h"

#define MODULES_NAME "modules.json"
#define MODULES_MASK "2_MultiVectorMask" /* which vectors of a document count (model/skip_words.h) */
#define MODULES_DENSE "1_Dense"          /* where the library puts the projection behind a backbone */
#define MODULES_SETTINGS_MAX (1u << 20)  /* bytes of modules.json, and of a module's config.json */

/*
 * The folder of the first module whose type ends with `type` (".Normalize"); NULL: there is no such module, or it has no
 * folder of its own. The caller frees *ret.
 */
int modules_find(struct folder *dir, const char *type, char **ret, struct err *e);

/* How many modules there are, and the folder of module i; NULL: it has none of its own. The caller frees *ret. */
int modules_path(struct folder *dir, size_t i, char **ret, size_t *ret_count, struct err *e);

/*
 * The file of weights of the Dense module that takes each token's vector; NULL: there is none. The caller frees *ret_file.
 * E_UNSUPPORTED_MODEL for a Dense that does more than a linear map, and for two of them.
 */
int modules_dense_find(struct folder *dir, char **ret_file, struct err *e);

#endif
