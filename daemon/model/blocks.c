#include "blocks.h"

#include <math.h>
#include <stdarg.h>

#define WEIGHT_NAME_MAX 160
#define TINY \
	1e-30 /* added to the square of a length: it keeps a vector of zeros from becoming NaN, and changes no other */

struct ir_value *
blk_linear(struct trace *t, struct ir_value *x, int64_t out, enum blk_bias bias, const char *name,
	   const char *fmt, ...)
{
	struct dim in = last_axis(x);
	char base[WEIGHT_NAME_MAX];
	struct ir_value *w, *b = NULL;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(base, sizeof(base), fmt, ap);
	va_end(ap);
	w = tr_weight(t, shape_of(2, n(out), in), "%s.weight", base);
	if (bias == BLK_BIAS)
		b = tr_weight(t, shape_of(1, n(out)), "%s.bias", base);
	return tr_name(t, tr_linear(t, x, w, b), "%s", name);
}

struct ir_value *
blk_layer_norm(struct trace *t, struct ir_value *x, double eps, const char *fmt, ...)
{
	struct dim last = last_axis(x);
	char base[WEIGHT_NAME_MAX];
	struct ir_value *w, *b;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(base, sizeof(base), fmt, ap);
	va_end(ap);
	w = tr_weight(t, shape_of(1, last), "%s.weight", base);
	b = tr_weight(t, shape_of(1, last), "%s.bias", base);
	return tr_layer_norm(t, x, w, b, eps);
}

struct ir_value *
blk_patches(struct trace *t, struct ir_value *pixels, int64_t side)
{
	static const int rows_first[] = {0, 2, 4, 1, 3, 5};
	const struct dim images = axis(pixels, 0), ch = axis(pixels, 1), p = n(side);
	const struct dim rows = dim_div(axis(pixels, 2), side), cols = dim_div(axis(pixels, 3), side);
	struct ir_value *x;

	x = tr_reshape(t, pixels, shape_of(6, images, ch, rows, p, cols, p));
	x = tr_transpose(t, x, rows_first); /* [images, rows, cols, ch, side, side] */
	return tr_reshape(t, x, shape_of(3, images, dim_mul(rows, cols), dim_mul(ch, n(side * side))));
}

/* The last part of a name: "q" of "lm.12.attn.q". */
static const char *
leaf(const struct ir_value *x)
{
	const char *dot = strrchr(x->name, '.');

	return dot ? dot + 1 : x->name;
}

struct ir_value *
blk_heads(struct trace *t, struct ir_value *x, int64_t heads)
{
	struct shape s = shape_of(4, axis(x, 0), axis(x, 1), n(heads), dim_div(axis(x, 2), heads));

	return tr_name(t, tr_reshape(t, x, s), "%s.heads", leaf(x));
}

struct ir_value *
blk_heads_merge(struct trace *t, struct ir_value *x)
{
	struct shape s = shape_of(3, axis(x, 0), axis(x, 1), dim_mul(axis(x, 2), axis(x, 3)));

	return tr_name(t, tr_reshape(t, x, s), "merged");
}

float
blk_frequency(double theta, int64_t d, int64_t k)
{
	return 1.0f / powf((float)theta, (float)(2 * k) / (float)d);
}

struct ir_value *
blk_inv_freq(struct trace *t, const char *name, double theta, int64_t d, int64_t begin, int64_t end)
{
	_cleanup_free_ float *table = malloc((size_t)(end - begin) * sizeof(*table));
	int64_t k;

	if (!table) {
		tr_fail(t, E_NO_MEMORY, "memory ran out");
		return tr_f32(t, 0);
	}
	for (k = begin; k < end; k++)
		table[k - begin] = blk_frequency(theta, d, k);
	return tr_table(t, name, shape_of(1, n(end - begin)), table);
}

struct ir_value *
blk_unsqueeze(struct trace *t, struct ir_value *x, int at)
{
	struct shape s = x->shape;
	int i;

	if (s.rank < IR_RANK_MAX) {
		for (i = s.rank++; i > at; i--)
			s.dim[i] = s.dim[i - 1];
		s.dim[at] = n(1);
	}
	return tr_reshape(t, x, s);
}

struct ir_value *
blk_window(struct trace *t, struct ir_value *unmasked, int64_t reach)
{
	struct ir_value *at, *query, *last, *far, *behind, *keys;

	at = tr_iota(t, sym(SYM_SEQUENCE));
	query = blk_unsqueeze(t, at, 1); /* [sequence, 1] */
	last = tr_add(t, query, tr_i64(t, reach));
	far = tr_less(t, last, at); /* [sequence, sequence] */
	last = tr_add(t, at, tr_i64(t, reach));
	behind = tr_less(t, last, query);
	far = tr_or(t, far, behind);
	far = tr_not(t, far);
	keys = blk_unsqueeze(t, unmasked, 1); /* [batch, 1, sequence] */
	return tr_and(t, keys, far);
}

struct ir_value *
blk_angles(struct trace *t, struct ir_value *positions, struct ir_value *inv_freq)
{
	struct ir_value *p = tr_cast(t, positions, ELEM_F32);

	p = blk_unsqueeze(t, p, p->shape.rank);
	return tr_mul(t, p, inv_freq);
}

struct blk_text
blk_text_inputs(struct trace *t)
{
	const struct shape s = shape_of(2, sym(SYM_BATCH), sym(SYM_SEQUENCE));
	struct blk_text in;
	struct ir_value *masked;

	in.ids = tr_input(t, "input_ids", ELEM_I64, s);
	in.mask = tr_input(t, "attention_mask", ELEM_I64, s);
	masked = tr_equal(t, in.mask, tr_i64(t, 0));
	in.unmasked = tr_name(t, tr_not(t, masked), "unmasked");
	return in;
}

int
blk_projection_rows(const struct checkpoint *ck, int64_t *dim, struct err *e)
{
	const struct weight *proj = ck ? checkpoint_find(ck, "proj.weight") : NULL;
	int r;

	if (!ck)
		return 0;
	if (!proj && !checkpoint_find_wrapped(ck, "proj.weight"))
		return err_set(
			e, E_BAD_CHECKPOINT,
			"there is no projection (custom_text_proj.weight, "
			"embedding_proj_layer.weight or multi_vector_projector.weight) in '%s': this is "
			"the bare backbone, or a retriever with a vector for each row, which needs "
			"--head (last-token, mean, cls; image-mean for jina-embeddings-v4)",
			checkpoint_dir(ck));
	if (!proj)
		return checkpoint_missing(ck, "proj.weight", e);
	r = checkpoint_usable(ck, proj, e);
	if (r < 0)
		return r;
	if (proj->tensor->rank != 2)
		return err_set(e, E_BAD_CHECKPOINT, "tensor '%s' in '%s' must have two dimensions",
			       proj->tensor->name, st_path(proj->file));
	if (*dim && *dim != proj->tensor->shape[0])
		return err_set(e, E_BAD_CHECKPOINT,
			       "config.json: embedding_dim is %lld but '%s' has %lld rows", (long long)*dim,
			       proj->tensor->name, (long long)proj->tensor->shape[0]);
	*dim = proj->tensor->shape[0];
	return 0;
}

/* Padded rows become zero, also those without a length: a product with the mask would keep their NaN. */
static struct ir_value *
rows_keep(struct trace *t, struct ir_value *z, const struct blk_text *in)
{
	struct ir_value *keep = blk_unsqueeze(t, in->unmasked, 2);

	return tr_where(t, keep, z, tr_f32(t, 0));
}

struct ir_value *
blk_head(struct trace *t, struct ir_value *x, const struct blk_text *in, int64_t dim, enum blk_bias bias,
	 double eps)
{
	struct ir_value *z, *y, *length, *by;

	tr_scope(t, "head");
	z = blk_linear(t, x, dim, bias, "proj", "proj"); /* [batch, sequence, dim] */
	if (eps > 0) {
		y = tr_l2_normalize_eps(t, z, TINY);
		length = tr_mul(t, z, y);
		length = tr_sum(t, length, 2);
		length = blk_unsqueeze(t, length, 2);
		by = tr_add(t, length, tr_f32(t, eps));
		by = tr_div(t, length, by);
		y = tr_mul(t, y, by);
		return rows_keep(t, y, in);
	}
	return blk_unit(t, z, in, /*floor=*/0);
}

/* The floor's square, added to the length's, changes only lengths that are about as small as the floor. */
struct ir_value *
blk_normalize(struct trace *t, struct ir_value *x, double floor)
{
	return floor > 0 ? tr_l2_normalize_eps(t, x, floor * floor) : tr_l2_normalize(t, x);
}

struct ir_value *
blk_unit(struct trace *t, struct ir_value *z, const struct blk_text *in, double floor)
{
	z = blk_normalize(t, z, floor);
	return rows_keep(t, z, in);
}

struct ir_value *
blk_running(struct trace *t, struct ir_value *flag)
{
	struct ir_value *k = tr_cast(t, flag, ELEM_I64);

	k = tr_reshape(t, k, shape_of(1, shape_count(&flag->shape)));
	k = tr_cumsum(t, k, 0);
	k = tr_sub(t, k, tr_i64(t, 1));
	return tr_max(t, k, tr_i64(t, 0));
}

/*
 * An image token has a number k among all image tokens. Its image is the number of images that end at or
 * before k, and its place within the image is k minus the tokens of those images.
 */
void
blk_tokens_place(struct trace *t, struct ir_value *is_image, struct ir_value *tokens,
		 struct ir_value **ret_image, struct ir_value **ret_place)
{
	struct ir_value *k, *end, *past, *place;

	end = tr_cumsum(t, tokens, 0); /* [images] */
	k = blk_running(t, is_image);  /* [tokens]: its number among all image tokens */
	past = blk_unsqueeze(t, k, 1); /* [tokens, 1] */
	past = tr_less(t, past, end);  /* [tokens, images] */
	past = tr_not(t, past);        /* the image ends before the token */
	past = tr_cast(t, past, ELEM_I64);
	*ret_image = tr_sum(t, past, 1); /* [tokens] */
	past = tr_mul(t, past, tokens);  /* [tokens, images] */
	past = tr_sum(t, past, 1);       /* [tokens] */
	place = tr_sub(t, k, past);
	*ret_image = tr_name(t, *ret_image, "image");
	*ret_place = tr_name(t, place, "place");
}

struct ir_value *
blk_scatter(struct trace *t, struct ir_value *x, struct ir_value *is_image, struct ir_value *features,
	    struct ir_value *index)
{
	struct ir_value *rows = tr_gather(t, features, index); /* [batch*sequence, hidden] */

	rows = tr_reshape(t, rows, x->shape);
	is_image = blk_unsqueeze(t, is_image, 2);
	return tr_where(t, is_image, rows, x);
}
