/*
 * Makes rows of token ids for parity cases: random words with image tokens in between, padded to the
 * longest row, on the left or on the right.
 */
#ifndef MODEL_CASEINPUT_H
#define MODEL_CASEINPUT_H

#include "base/rng.h"
#include "model.h"

/* Adds input_ids and attention_mask, int64 [rows, longest]. */
int case_text_make(const struct model *m, const void *config, const struct plan *plan, struct rng *rng,
		   struct feeds *ret, struct err *e);

/* Fills `data` with normally distributed numbers. */
void case_fill_normal(struct rng *rng, float *data, int64_t count);

#endif
