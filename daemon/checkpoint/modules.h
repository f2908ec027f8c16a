/*
 * Folders of Sentence Transformers: modules.json lists the modules that run one after the other, and a module `Dense` is a
 * linear map in a folder of its own. Behind a backbone it is the projection of a retriever:
 *
 *	modules.json                  [{"type": "...Transformer", "path": ""}, {"type": "...Dense", "path": "1_Dense"}, ...]
 *	1_Dense/config.json           {"activation_function", "module_input_name", "bias", ...}
 *	1_Dense/model.safetensors     linear.weight [out, in], linear.bias [out]?
 */
#ifndef CHECKPOINT_MODULES_H
#define CHECKPOINT_MODULES_H

#include "base/folder.h"

#define MODULES_NAME "modules.json"
#define MODULES_MASK "2_MultiVectorMask" /* which vectors of a document count (model/skip_words.h) */
#define MODULES_DENSE "1_Dense"          /* where the library puts the projection behind a backbone */

/*
 * The file of weights of the Dense module that takes each token's vector; NULL: there is none. The caller frees *ret_file.
 * E_UNSUPPORTED_MODEL for a Dense that does more than a linear map, and for two of them.
 */
int modules_dense_find(struct folder *dir, char **ret_file, struct err *e);

#endif
