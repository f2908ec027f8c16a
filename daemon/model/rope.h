/*
 * Rotary positions of a decoder, plain or stretched beyond the length of the first training by "yarn" or "llama3": slow
 * frequencies are divided by a factor, fast ones stay, and those between are a mixture.
 */
#ifndef MODEL_ROPE_H
#define MODEL_ROPE_H

#include "blocks.h"
#include "checkpoint/config_scope.h"

struct rope {
	double theta;
	int64_t trained; /* original_max_position_embeddings; 0: not given */
	/* factor 0: the frequencies are plain, and the rest of this is not used */
	double factor;
	double beta_fast, beta_slow; /* rotations within `trained` tokens: more are fast, fewer are slow */
	bool llama3;                 /* the mixture is even in wavelengths; yarn: in numbers of frequencies */
	bool truncate;    /* yarn: the limits between fast and slow are rounded to whole frequencies */
	double magnitude; /* of cos and sin; llama3: 1 */
};

/*
 * Reads rope_parameters, or rope_scaling, of a text scope. *rope holds on entry what is meant where config.json has no such
 * object. *ret_obj is that object, for keys of a family's own; its obj is NULL when there is none.
 */
int rope_read(const struct config_scope *text, struct rope *rope, struct config_scope *ret_obj,
	      struct err *e);

/* The frequencies of heads of `d` numbers: float [d/2]. */
struct ir_value *rope_inv_freq(struct trace *t, const struct rope *rope, int64_t d);

#endif
