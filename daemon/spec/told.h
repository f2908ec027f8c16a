/*
 * What config.json says about the class of a model, and whether any supported family can fit it.
 *
 * The daemon asks before it queues a job and the worker before it reads weights, with the same words. Only the worker
 * knows the spellings of the families (model/model.h), so it also refuses what told_check() lets pass.
 */
#ifndef SPEC_TOLD_H
#define SPEC_TOLD_H

#include "base/buf.h"
#include "base/json.h"
#include "class.h"

#define TOLD_CLASSES_MAX 8

/* NULL where config.json says nothing. The strings are the config's own. */
struct told {
	const char *type, *backbone;
	const char *class[TOLD_CLASSES_MAX]; /* of `architectures` and of auto_map */
	size_t n_class;
};

void told_read(const json_t *config, struct told *ret);

/* E_UNSUPPORTED_MODEL when no family can fit: a class that is in none of them, or a retriever of unsupported.def. */
int told_check(const struct told *t, struct err *e);

/* What is missing to convert it, if it is a retriever of unsupported.def; else NULL. */
const char *told_missing(const struct told *t);

/* Always fails with E_UNSUPPORTED_MODEL, and names the retriever if it is known. */
int told_refuse(const struct told *t, struct err *e);

/* The same for a class that is not one of `arch`, the family that the rest of config.json fits. */
int told_refuse_class(const struct architecture *arch, const char *class, struct err *e);

#endif
