/*
 * Turns the last layer's states into a unit vector for each token (by a projection, blk_head()) or for each
 * row (by pooling). A family that has classes of both kinds keeps a `struct pooling_head` in its config.
 */
#ifndef MODEL_POOLING_H
#define MODEL_POOLING_H

#include "blocks.h"
#include "model.h"

struct pooling_head {
	enum head head;
	int64_t dim;  /* for HEAD_MULTI_VECTOR; 0 until the projection is found, because config.json does
                      * not say */
	bool no_bias; /* the projection has none; for the family to set, as is: */
	double eps;   /* what is added to the length by which a projected vector is divided */
	double floor; /* the least length by which a vector is divided. 0: none, and zeros become NaN */
	int64_t cut;  /* of a vector for each row: its first numbers that are kept; 0: all */
	int64_t begin_id, end_id; /* of HEAD_IMAGE_MEAN, for the family to set: the tokens around an image */
};

/*
 * The head that was found. ret->dim is on entry the width that config.json states, for blk_projection_rows().
 * E_BAD_CHECKPOINT for a vector for each row where the checkpoint has a projection. Both `as` and `ck` may be NULL.
 */
int pooling_head_read(const struct model_found *as, const struct checkpoint *ck, struct pooling_head *ret,
		      struct err *e);

/* The output of a graph. x [batch, sequence, hidden]: the states after the last norm. */
struct ir_value *pooling_head_build(struct trace *t, const struct pooling_head *h, struct ir_value *x,
				    const struct blk_text *in);

#endif
