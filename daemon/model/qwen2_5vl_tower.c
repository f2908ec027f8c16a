/*
 * The vision tower of Qwen2.5-VL: blocks with RMSNorms and gated feed-forward parts. Most blocks see only
 * windows of the image. The original classes sort the patches by window, and sort them back after the
 * merger. Here they stay in place, and a mask says which patches see each other; the result is the same.
 */
#include "qwen_tower.h"

#define EPS 1e-6 /* of the norms: not in the config */

static struct ir_value *
norm(struct trace *t, struct ir_value *x, const char *base)
{
	struct ir_value *w;

	w = tr_weight(t, shape_of(1, last_axis(x)), "%s.weight", base);
	return tr_rms_norm(t, x, w, EPS);
}

static struct ir_value *
block_norm(struct trace *t, struct ir_value *x, int il, int which)
{
	char base[48];

	(void)snprintf(base, sizeof(base), "vis.blocks.%d.norm%d", il, which);
	return norm(t, x, base);
}

/*
 * The patches of its window, which a patch sees: bool [images, patches, patches]. Windows have `window` tokens on each side and
 * start at the top left; at the right and bottom edges they may be smaller.
 */
static struct ir_value *
window_mask(struct trace *t, const struct qwen_tower *v)
{
	struct ir_value *side = tr_i64(t, v->c->window * QWEN2VL_MERGE);
	struct ir_value *window, *col, *across, *key, *same;

	tr_scope(t, "vis.window");
	across = blk_unsqueeze(t, v->images->cols, 1); /* [images, 1]: at least the number of windows side
                                                        * by side */
	window = tr_div(t, v->row, side);
	window = tr_mul(t, window, across);
	col = tr_div(t, v->col, side);
	window = tr_name(t, tr_add(t, window, col), "number"); /* [images, patches] */
	key = blk_unsqueeze(t, window, 1);
	window = blk_unsqueeze(t, window, 2);
	same = tr_equal(t, window, key); /* [images, patches, patches] */
	key = blk_unsqueeze(t, v->seen, 1);
	return tr_name(t, tr_and(t, same, key), "mask");
}

static struct ir_value *
block(struct trace *t, const struct qwen_tower *v, struct ir_value *x, struct ir_value *mask, int il)
{
	const int64_t inner = v->c->mlp_dim;
	struct ir_value *y, *g, *u;

	tr_scope(t, "vis.%02d.attn", il);
	y = block_norm(t, x, il, 1);
	x = qwen_tower_attention(t, v, x, y, mask, il);
	tr_scope(t, "vis.%02d.mlp", il);
	y = block_norm(t, x, il, 2);
	g = blk_linear(t, y, inner, BLK_BIAS, "gate", "vis.blocks.%d.mlp.gate_proj",
		       il); /* [images, patches, inner] */
	u = blk_linear(t, y, inner, BLK_BIAS, "up", "vis.blocks.%d.mlp.up_proj", il);
	g = tr_silu(t, g);
	g = tr_mul(t, g, u);
	y = blk_linear(t, g, v->c->embed_dim, BLK_BIAS, "down", "vis.blocks.%d.mlp.down_proj", il);
	return tr_name(t, tr_add(t, x, y), "out");
}

struct qwen_features
qwen2_5vl_tower(struct trace *t, const struct qwen2vl_config *c, const struct qwen2vl_images *im)
{
	const struct qwen_tower v = qwen_tower_begin(t, &c->vision, im);
	struct ir_value *window, *x;
	int il;

	window = window_mask(t, &v);
	x = qwen_tower_patches(t, &v, BLK_NO_BIAS); /* [images, patches, width] */
	for (il = 0; il < c->vision.depth; il++)
		x = block(t, &v, x, c->vision.whole[il] ? v.seen : window, il);
	tr_scope(t, "vis.merger");
	x = norm(t, x, "vis.merger.ln_q");
	return (struct qwen_features){.merged = qwen2vl_merge(t, &v, x, c->text.hidden_size)};
}
