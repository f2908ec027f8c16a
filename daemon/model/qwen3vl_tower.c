/*
 * The vision tower of Qwen3-VL. It has a table of positions that is stretched over each image, and
 * DeepStack: the patches after some blocks also become features, which the decoder adds to the states of
 * the image tokens.
 */
#include "qwen_tower.h"

#define EPS 1e-6 /* of the norms: not in the config */

/* The position of a coordinate in the table: between two rows or columns, and how far from each. */
struct between {
	struct ir_value *low, *high; /* int64 [images, patches] */
	struct ir_value *to_low,
		*to_high; /* float [images, patches, 1]: weights of the two, whose sum is 1 */
};

/*
 * The first patch of a side maps to the first entry of the table, the last patch to the last entry. In
 * whole numbers: place * (side - 1) / (count - 1), quotient and remainder. `tokens` int64 [images]: the
 * side of the image in tokens.
 */
static struct between
between_of(struct trace *t, struct ir_value *place, struct ir_value *tokens, int64_t side)
{
	struct between b;
	struct ir_value *last, *far, *rest;

	last = tr_mul(t, tokens, tr_i64(t, QWEN2VL_MERGE));
	last = tr_sub(t, last, tr_i64(t, 1)); /* at least 1, because a side has whole tokens */
	last = blk_unsqueeze(t, last, 1);     /* [images, 1] */
	far = tr_mul(t, place, tr_i64(t, side - 1));
	b.low = tr_div(t, far, last);
	b.high = tr_add(t, b.low, tr_i64(t, 1));
	b.high = tr_min(t, b.high, tr_i64(t, side - 1));
	rest = tr_mod(t, far, last);
	rest = tr_cast(t, rest, ELEM_F32);
	last = tr_cast(t, last, ELEM_F32);
	rest = tr_div(t, rest, last);
	b.to_high = blk_unsqueeze(t, rest, 2);
	b.to_low = tr_sub(t, tr_f32(t, 1), b.to_high);
	return b;
}

/* One weighted entry of the table for each patch: float [images, patches, width]. */
static struct ir_value *
corner(struct trace *t, struct ir_value *table, struct ir_value *row, struct ir_value *col, int64_t side,
       struct ir_value *by_row, struct ir_value *by_col)
{
	struct ir_value *at, *weight, *x;

	at = tr_mul(t, row, tr_i64(t, side));
	at = tr_add(t, at, col);
	weight = tr_mul(t, by_row, by_col);
	x = tr_gather(t, table, at);
	return tr_mul(t, x, weight);
}

static struct ir_value *
positions(struct trace *t, const struct qwen_tower *v)
{
	const struct qwen2vl_vision *c = v->c;
	const int64_t side = c->table_side;
	struct between row, col;
	struct ir_value *table, *sum, *x;

	tr_scope(t, "vis.table");
	row = between_of(t, v->row, v->images->rows, side);
	col = between_of(t, v->col, v->images->cols, side);
	table = tr_weight(t, shape_of(2, n(c->num_position_embeddings), n(c->embed_dim)),
			  "vis.pos_embed.weight");
	sum = corner(t, table, row.low, col.low, side, row.to_low, col.to_low);
	x = corner(t, table, row.low, col.high, side, row.to_low, col.to_high);
	sum = tr_add(t, sum, x);
	x = corner(t, table, row.high, col.low, side, row.to_high, col.to_low);
	sum = tr_add(t, sum, x);
	x = corner(t, table, row.high, col.high, side, row.to_high, col.to_high);
	return tr_name(t, tr_add(t, sum, x), "pos_embed");
}

static struct ir_value *
block(struct trace *t, const struct qwen_tower *v, struct ir_value *x, int il)
{
	struct ir_value *y;

	tr_scope(t, "vis.%02d.attn", il);
	y = blk_layer_norm(t, x, EPS, "vis.blocks.%d.norm1", il);
	x = qwen_tower_attention(t, v, x, y, v->seen, il);
	tr_scope(t, "vis.%02d.mlp", il);
	y = blk_layer_norm(t, x, EPS, "vis.blocks.%d.norm2", il);
	y = blk_linear(t, y, v->c->mlp_dim, BLK_BIAS, "fc1", "vis.blocks.%d.mlp.linear_fc1", il);
	y = tr_gelu_tanh(t, y); /* [images, patches, mlp_dim] */
	y = blk_linear(t, y, v->c->embed_dim, BLK_BIAS, "fc2", "vis.blocks.%d.mlp.linear_fc2", il);
	return tr_name(t, tr_add(t, x, y), "out");
}

/* Applies two layers, with the weights of `base`, to the normed patches of each token. */
static struct ir_value *
merge(struct trace *t, struct ir_value *x, int64_t hidden, const char *base)
{
	x = blk_linear(t, x, last_axis(x).num, BLK_BIAS, "fc1", "%s.linear_fc1", base);
	x = tr_gelu(t, x);
	return blk_linear(t, x, hidden, BLK_BIAS, "fc2", "%s.linear_fc2", base);
}

/* The merger of DeepStack: its norm is over the four patches of a token together. */
static struct ir_value *
deep_feature(struct trace *t, struct ir_value *x, int64_t hidden, int which)
{
	char base[48];

	(void)snprintf(base, sizeof(base), "vis.deepstack_merger_list.%d", which);
	tr_scope(t, "vis.deep.%d", which);
	x = qwen_tower_group(t, x);
	x = blk_layer_norm(t, x, EPS, "%s.norm", base);
	return merge(t, x, hidden, base);
}

/* The number of the merger that follows block il, or -1. */
static int
deep_after(const struct qwen2vl_vision *c, int il)
{
	int j;

	for (j = 0; j < c->n_deep; j++)
		if (c->deep[j] == il)
			return j;
	return -1;
}

struct qwen_features
qwen3vl_tower(struct trace *t, const struct qwen2vl_config *c, const struct qwen2vl_images *im)
{
	const struct qwen_tower v = qwen_tower_begin(t, &c->vision, im);
	struct qwen_features f = {.n_deep = 0};
	struct ir_value *x, *table;
	int il, j;

	table = positions(t, &v);
	x = qwen_tower_patches(t, &v, BLK_BIAS); /* [images, patches, width] */
	x = tr_name(t, tr_add(t, x, table), "embed");
	for (il = 0; il < c->vision.depth; il++) {
		x = block(t, &v, x, il);
		j = deep_after(&c->vision, il);
		if (j >= 0)
			f.deep[f.n_deep++] = deep_feature(t, x, c->text.hidden_size, j);
	}
	tr_scope(t, "vis.merger");
	x = blk_layer_norm(t, x, EPS, "vis.merger.norm");
	x = qwen_tower_group(t, x);
	f.merged = merge(t, x, c->text.hidden_size, "vis.merger");
	return f;
}
