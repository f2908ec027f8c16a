/*
 * A module of a folder of Sentence Transformers by the end of its type's name, and its settings: modules.h has the projection,
 * this has the modules of one family.
 */
#ifndef CHECKPOINT_MODULE_FIND_H
#define CHECKPOINT_MODULE_FIND_H

#include "base/folder.h"

#define MODULE_SETTINGS_MAX (1u << 20) /* bytes of modules.json, and of a module's config.json */

/*
 * The folder of the module whose type ends with `type` (".Normalize"), within `dir`; NULL: there is none. The caller frees *ret.
 * E_BAD_CHECKPOINT when its path is not the name of a folder beside modules.json.
 */
int module_find(struct folder *dir, const char *type, char **ret, struct err *e);

/* How many modules there are, and the folder of module i; NULL: it has none of its own. */
int module_path(struct folder *dir, size_t i, char **ret, size_t *ret_count, struct err *e);

#endif
