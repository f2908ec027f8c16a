#include "qwen_tower.h"

#include <math.h>

#define THETA 10000.0 /* of the rotary positions: not in the config */
#define MERGE QWEN2VL_MERGE

/*
 * Computes the row and column of each patch. Patches are ordered in blocks of 2 x 2: blocks row by row, and
 * patches row by row inside a block.
 *
 *	0 1 | 4 5 |        block g = p / 4 is at (g / cols, g % cols),
 *	2 3 | 6 7 | ...    place r = p % 4 inside it at (r / 2, r % 2)
 *
 * size int64 [images, 1]: patches of the image. Padding patches are numbered from 0 again.
 */
static void
places(struct trace *t, struct qwen_tower *v, struct ir_value *size)
{
	struct ir_value *two = tr_i64(t, MERGE), *four = tr_i64(t, MERGE * MERGE);
	struct ir_value *cols, *p, *g, *r, *row, *col, *inner;

	cols = blk_unsqueeze(t, v->images->cols, 1); /* [images, 1] */
	p = tr_iota(t, sym(SYM_PATCHES));
	p = tr_mod(t, p, size); /* [images, patches] */
	g = tr_div(t, p, four);
	r = tr_mod(t, p, four);
	row = tr_div(t, g, cols);
	row = tr_mul(t, row, two);
	inner = tr_div(t, r, two);
	v->row = tr_name(t, tr_add(t, row, inner), "row");
	col = tr_mod(t, g, cols);
	col = tr_mul(t, col, two);
	inner = tr_mod(t, r, two);
	v->col = tr_name(t, tr_add(t, col, inner), "col");
}

/* Angles of both coordinates: float [images, patches, 1, head_dim/2]. */
static struct ir_value *
angles_of(struct trace *t, const struct qwen_tower *v)
{
	const int64_t d = v->c->head_dim;
	struct ir_value *inv = blk_inv_freq(t, "vis.inv_freq", THETA, d / 2, 0, d / 4);
	struct ir_value *row, *col, *angles;

	row = blk_angles(t, v->row, inv);
	col = blk_angles(t, v->col, inv);
	angles = tr_concat(t, 2, 2, row, col); /* [images, patches, head_dim/2] */
	return blk_unsqueeze(t, angles, 2);
}

struct qwen_tower
qwen_tower_begin(struct trace *t, const struct qwen2vl_vision *c, const struct qwen2vl_images *im)
{
	struct qwen_tower v = {.c = c, .images = im};
	struct ir_value *size, *p, *angles;

	tr_scope(t, "vis.pos");
	size = tr_mul(t, im->tokens, tr_i64(t, MERGE * MERGE));
	size = blk_unsqueeze(t, size, 1); /* [images, 1] */
	places(t, &v, size);
	angles = angles_of(t, &v);
	v.cos = tr_name(t, tr_cos(t, angles), "cos");
	v.sin = tr_name(t, tr_sin(t, angles), "sin");
	p = tr_iota(t, sym(SYM_PATCHES));
	v.seen = tr_name(t, tr_less(t, p, size), "seen");
	return v;
}

/*
 * The patch embedding is a convolution whose stride equals its window: a linear over the flattened patch.
 * Padding is zeroed first, because it may contain anything, even infinities and NaN, and products with
 * those would reach the tokens.
 */
struct ir_value *
qwen_tower_patches(struct trace *t, const struct qwen_tower *v, enum blk_bias bias)
{
	const struct qwen2vl_vision *c = v->c;
	const struct shape flat = shape_of(2, n(c->embed_dim), n(qwen2vl_features(c)));
	const struct shape stored = shape_of(5, n(c->embed_dim), n(c->in_channels), n(c->temporal_patch_size),
					     n(c->patch_size), n(c->patch_size));
	struct ir_value *seen, *weight, *b = NULL, *x;

	tr_scope(t, "vis");
	seen = blk_unsqueeze(t, v->seen, 2); /* [images, patches, 1] */
	x = tr_where(t, seen, v->images->pixels, tr_f32(t, 0));
	weight = tr_weight_as(t, flat, stored, "vis.patch_embed.proj.weight");
	if (bias == BLK_BIAS)
		b = tr_weight(t, shape_of(1, n(c->embed_dim)), "vis.patch_embed.proj.bias");
	x = tr_linear(t, x, weight, b); /* [images, patches, width] */
	return tr_name(t, x, "patch_embed");
}

/* The heads of q, k and v: each [images, patches, heads, head_dim]. */
static void
qkv(struct trace *t, const struct qwen_tower *v, struct ir_value *y, int il, struct ir_value *ret[3])
{
	static const char *const names[] = {"q", "k", "v"};
	const int64_t width = v->c->embed_dim;
	struct ir_value *all = NULL, *part;
	int i;

	if (!v->c->apart)
		all = blk_linear(t, y, 3 * width, BLK_BIAS, "qkv", "vis.blocks.%d.attn.qkv", il);
	for (i = 0; i < 3; i++) {
		part = all ? tr_slice(t, all, 2, i * width, (i + 1) * width)
			   : blk_linear(t, y, width, BLK_BIAS, names[i], "vis.blocks.%d.attn.%s", il,
					names[i]);
		part = tr_name(t, part, "%s", names[i]);
		ret[i] = blk_heads(t, part, v->c->num_heads);
	}
}

struct ir_value *
qwen_tower_attention(struct trace *t, const struct qwen_tower *v, struct ir_value *x, struct ir_value *y,
		     struct ir_value *mask, int il)
{
	const int64_t width = v->c->embed_dim;
	struct ir_value *part[3], *q, *k, *a;

	qkv(t, v, y, il, part);
	q = tr_name(t, tr_rope(t, part[0], v->cos, v->sin), "q.rope");
	k = tr_name(t, tr_rope(t, part[1], v->cos, v->sin), "k.rope");
	a = tr_attention(t, q, k, part[2], mask, IR_MASK_FULL, 1 / sqrt((double)v->c->head_dim));
	a = blk_heads_merge(t, a); /* [images, patches, width] */
	a = blk_linear(t, a, width, BLK_BIAS, "proj", "vis.blocks.%d.attn.proj", il);
	return tr_name(t, tr_add(t, x, a), "out");
}

struct ir_value *
qwen_tower_group(struct trace *t, struct ir_value *x)
{
	const struct dim tokens = dim_div(dim_mul(axis(x, 0), axis(x, 1)), MERGE * MERGE);
	const struct dim wide = dim_mul(last_axis(x), n(MERGE * MERGE));

	return tr_reshape(t, x, shape_of(2, tokens, wide)); /* [images*patches/4, 4*width] */
}

struct ir_value *
qwen2vl_merge(struct trace *t, const struct qwen_tower *v, struct ir_value *x, int64_t hidden)
{
	const int64_t wide = v->c->embed_dim * MERGE * MERGE;

	x = qwen_tower_group(t, x);
	x = blk_linear(t, x, wide, BLK_BIAS, "fc1", "vis.merger.mlp.0");
	x = tr_gelu(t, x);
	return blk_linear(t, x, hidden, BLK_BIAS, "fc2", "vis.merger.mlp.2");
}

struct qwen_features
qwen_vision(struct trace *t, const struct qwen2vl_config *c, const struct qwen2vl_images *im)
{
	static struct qwen_features (*const towers[])(struct trace *, const struct qwen2vl_config *,
						      const struct qwen2vl_images *) = {
		[QWEN2_VL] = qwen2vl_tower,
		[QWEN2_5_VL] = qwen2_5vl_tower,
		[QWEN2_5_OMNI] = qwen2_5vl_tower,
		[QWEN3_VL] = qwen3vl_tower,
		[QWEN3_5] = qwen3vl_tower};

	return towers[c->generation](t, c, im);
}
