/*
 * The widths to which a checkpoint's embeddings may be cut. Some checkpoints were trained so that the first
 * numbers of an embedding are an embedding too (Matryoshka); others must not be cut.
 */
#ifndef MODEL_WIDTH_H
#define MODEL_WIDTH_H

#include "checkpoint/config_scope.h"
#include "model.h"

#define WIDTHS_MAX 32

struct widths {
	bool any; /* each from 1 to the whole */
	size_t n; /* of those that are listed; 0 without `any`: the embeddings must not be cut */
	int64_t at[WIDTHS_MAX];
	const char *key; /* that lists them; NULL: they are the family's, which config.json does not list */
};

/* Reads the list of widths under `key`, if config.json has it, without those above `whole`. */
int widths_read(const struct config_scope *s, const char *key, int64_t whole, struct widths *ret,
		struct err *e);

/* Embeddings of the width `whole` may be cut to `dim`. */
bool width_allowed(const struct widths *w, int64_t dim, int64_t whole);

/*
 * Sets *dim to the width that the job asks for; *dim is on entry the one that embeddings have otherwise, and
 * `whole` that of the projection. E_BAD_REQUEST lists the widths that are allowed.
 */
int width_choose(const struct model_found *as, const struct widths *w, int64_t whole, int64_t *dim,
		 struct err *e);

#endif
