#include "pooling.h"

int
pooling_head_read(const struct model_found *as, const struct checkpoint *ck, struct pooling_head *ret,
		  struct err *e)
{
	const struct weight *proj = ck ? checkpoint_find(ck, "proj.weight") : NULL;

	ret->head = as ? as->head : HEAD_MULTI_VECTOR;
	if (ret->head == HEAD_MULTI_VECTOR)
		return blk_projection_rows(ck, &ret->dim, e);
	if (!proj)
		return 0;
	return err_set(
		e, E_BAD_CHECKPOINT,
		"a vector for each row is wanted, but '%s' of '%s' is the projection of a vector for each "
		"token: check `architectures` in config.json, or leave head out",
		proj->tensor->name, st_path(proj->file));
}

/*
 * The number of the last unmasked token of each row, wherever its padding is: int64 [batch]; 0 for a row
 * without unmasked tokens.
 */
static struct ir_value *
last_token(struct trace *t, const struct blk_text *in)
{
	struct ir_value *zero = tr_i64(t, 0), *nth, *all, *last, *at;

	nth = tr_cast(t, in->unmasked, ELEM_I64);
	all = tr_sum(t, nth, 1); /* [batch] */
	all = blk_unsqueeze(t, all, 1);
	nth = tr_cumsum(t, nth, 1);
	last = tr_equal(t, nth, all);
	last = tr_and(t, last, in->unmasked);
	at = tr_iota(t, sym(SYM_SEQUENCE));
	at = tr_where(t, last, at, zero); /* [batch, sequence] */
	return tr_sum(t, at, 1);
}

/* Selects one state of each row: [batch, hidden]. */
static struct ir_value *
pick(struct trace *t, struct ir_value *x, struct ir_value *at)
{
	const struct shape flat = shape_of(2, dim_mul(axis(x, 0), axis(x, 1)), last_axis(x));
	struct ir_value *row, *length;

	row = tr_iota(t, sym(SYM_BATCH));
	length = tr_size(t, sym(SYM_SEQUENCE));
	row = tr_mul(t, row, length);
	row = tr_add(t, row, at);
	x = tr_reshape(t, x, flat);
	return tr_gather(t, x, row);
}

/* The sum has the mean's direction, and its length goes away. `which` are the tokens, bool [batch, sequence]. */
static struct ir_value *
mean(struct trace *t, struct ir_value *x, struct ir_value *which)
{
	struct ir_value *keep = blk_unsqueeze(t, which, 2);

	x = tr_where(t, keep, x, tr_f32(t, 0));
	return tr_sum(t, x, 1);
}

/* How many unmasked tokens with that id the row has up to each token: int64 [batch, sequence]. */
static struct ir_value *
count_up_to(struct trace *t, const struct blk_text *in, int64_t id)
{
	struct ir_value *x;

	x = tr_equal(t, in->ids, tr_i64(t, id));
	x = tr_and(t, x, in->unmasked);
	x = tr_cast(t, x, ELEM_I64);
	return tr_cumsum(t, x, 1);
}

/*
 * The tokens of each row's first image with the two around it; all unmasked tokens of a row without an image. bool
 * [batch, sequence].
 */
static struct ir_value *
image_tokens(struct trace *t, const struct pooling_head *h, const struct blk_text *in)
{
	struct ir_value *zero = tr_i64(t, 0), *begun, *ended, *image, *none;

	begun = count_up_to(t, in, h->begin_id);
	begun = tr_less(t, zero, begun);
	ended = count_up_to(t, in, h->end_id);
	ended = tr_shift(t, ended, 1); /* the token that ends the image is part of it */
	ended = tr_equal(t, ended, zero);
	image = tr_and(t, begun, ended);
	image = tr_and(t, image, in->unmasked);
	none = tr_cast(t, image, ELEM_I64);
	none = tr_sum(t, none, 1); /* [batch] */
	none = tr_equal(t, none, zero);
	none = blk_unsqueeze(t, none, 1);
	none = tr_and(t, none, in->unmasked);
	return tr_or(t, image, none);
}

/* A row without an unmasked token gives zeros. */
static struct ir_value *
pool(struct trace *t, const struct pooling_head *h, struct ir_value *x, const struct blk_text *in)
{
	struct ir_value *zero = tr_i64(t, 0), *seen, *at;

	tr_scope(t, "head");
	if (h->head == HEAD_MEAN) {
		x = mean(t, x, in->unmasked);
	} else if (h->head == HEAD_IMAGE_MEAN) {
		at = image_tokens(t, h, in);
		x = mean(t, x, at);
	} else {
		at = h->head == HEAD_CLS ? zero : last_token(t, in);
		x = pick(t, x, at);
	}
	x = tr_name(t, x, "pooled");
	if (h->cut)
		x = tr_slice(t, x, 1, 0, h->cut);
	x = blk_normalize(t, x, h->floor);
	seen = tr_cast(t, in->unmasked, ELEM_I64);
	seen = tr_sum(t, seen, 1);
	seen = tr_less(t, zero, seen);
	seen = blk_unsqueeze(t, seen, 1); /* [batch, 1] */
	return tr_where(t, seen, x, tr_f32(t, 0));
}

struct ir_value *
pooling_head_build(struct trace *t, const struct pooling_head *h, struct ir_value *x,
		   const struct blk_text *in)
{
	return h->head == HEAD_MULTI_VECTOR
		       ? blk_head(t, x, in, h->dim, h->no_bias ? BLK_NO_BIAS : BLK_BIAS, h->eps)
		       : pool(t, h, x, in);
}
