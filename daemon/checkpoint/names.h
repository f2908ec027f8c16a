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
 * Writes the canonical form of `name` to ret (NAME_LEN_MAX bytes). Returns 1; 0 when retrieval does not use
 * the tensor (lm_head, rotary tables, position ids); or E_BAD_CHECKPOINT when the name is too long.
 */
int name_canonical(const char *name, char *ret, struct err *e);

/* Spells a canonical name as some library does: "vis.x" becomes "visual.x". For errors about a missing tensor. */
void name_spell(const char *name, char ret[NAME_LEN_MAX]);

/* Whether a name on disk is the canonical name with an unknown prefix: "student.visual.x" for "vis.x". */
bool name_is_wrapped(const char *on_disk, const char *name);

/* Whether only a model wrapped by PEFT has a tensor with this name: "...q_proj.base_layer.weight". */
bool name_is_peft(const char *on_disk);

/*
 * A spelling that only one family uses: names that begin with `from` get `to` instead, or are dropped (NULL).
 */
struct name_rule {
	const char *from, *to;
};

/*
 * Applies the first matching rule to a canonical name. The list ends with an empty row. Returns as
 * name_canonical() does.
 */
int name_rules_apply(const struct name_rule *rules, const char *name, char *ret, struct err *e);

#endif
