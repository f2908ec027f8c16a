/*
 * Canonical names of tensors.
 *
 * The same weight is spelled differently by every library version that saved it
 * ("vlm.model.language_model.layers.0...", "model.layers.0...", "language_model.model.layers.0...").
 * One rule maps all of them to `vis.`, `lm.`, `proj.` and `mmproj.` plus the rest of the name.
 */
#ifndef CHECKPOINT_NAMES_H
#define CHECKPOINT_NAMES_H

#include "base/err.h"

#define NAME_LEN_MAX 512

/*
 * Writes the canonical form of `name` to ret (NAME_LEN_MAX bytes). Returns 1, 0 when the tensor
 * plays no part in retrieval (lm_head, rotary tables, position ids), or E_BAD_CHECKPOINT when the
 * name is too long.
 */
int name_canonical(const char *name, char *ret, struct err *e);

/* How a file may spell a canonical name, to say what is missing where no neighbour shows it. */
void name_spell(const char *name, char ret[NAME_LEN_MAX]);

/* Whether a name on disk is that canonical one behind a prefix that name_canonical() does not know. */
bool name_is_wrapped(const char *on_disk, const char *name);

/* Whether a model under PEFT that was not merged has tensors of this name. */
bool name_is_peft(const char *on_disk);

/* A spelling that one family alone has: names that begin with `from` begin with `to`, or are dropped (NULL). */
struct name_rule {
	const char *from, *to;
};

/* Applies the first rule that fits a canonical name. The list ends with an empty row. Returns as name_canonical(). */
int name_rules_apply(const struct name_rule *rules, const char *name, char *ret, struct err *e);

#endif
