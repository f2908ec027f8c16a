/*
 * Rows of token ids for parity cases: random words with image tokens in between, padded to the
 * longest row on either side.
 */
#ifndef MODEL_CASEINPUT_H
#define MODEL_CASEINPUT_H

#include "base/rng.h"
#include "model.h"

/* Ids that a model's prompts are made of; a negative id is none. */
struct case_tokens {
	int64_t vocab;
	int64_t image;                  /* stands once for every image feature */
	int64_t image_begin, image_end; /* around each image */
	int64_t pad;
	int64_t video; /* never used as a word */
	/* Image tokens of an image of h x w patches. */
	int64_t (*image_tokens)(const void *config, int h, int w);
};

/* Adds input_ids and attention_mask, int64 [rows, longest]. */
int case_text_make(const void *config, const struct case_tokens *tok, const struct case_plan *plan,
		   struct rng *rng, struct feeds *ret, struct err *e);

/* Normal numbers. */
void case_fill_normal(struct rng *rng, float *data, int64_t count);

#endif
