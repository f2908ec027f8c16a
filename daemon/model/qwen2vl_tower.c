/* The vision tower of Qwen2-VL: blocks with LayerNorms, in which each patch sees its whole image. */
#include "qwen_tower.h"

#define EPS 1e-6 /* of the norms: not in the config */

static struct ir_value *
block(struct trace *t, const struct qwen_tower *v, struct ir_value *x, int il)
{
	struct ir_value *y;

	tr_scope(t, "vis.%02d.attn", il);
	y = blk_layer_norm(t, x, EPS, "vis.blocks.%d.norm1", il);
	x = qwen_tower_attention(t, v, x, y, v->seen, il);
	tr_scope(t, "vis.%02d.mlp", il);
	y = blk_layer_norm(t, x, EPS, "vis.blocks.%d.norm2", il);
	y = blk_linear(t, y, v->c->mlp_dim, BLK_BIAS, "fc1", "vis.blocks.%d.mlp.fc1", il);
	y = tr_quick_gelu(t, y); /* [images, patches, mlp_dim] */
	y = blk_linear(t, y, v->c->embed_dim, BLK_BIAS, "fc2", "vis.blocks.%d.mlp.fc2", il);
	return tr_name(t, tr_add(t, x, y), "out");
}

struct qwen_features
qwen2vl_tower(struct trace *t, const struct qwen2vl_config *c, const struct qwen2vl_images *im)
{
	const struct qwen_tower v = qwen_tower_begin(t, &c->vision, im);
	struct ir_value *x;
	int il;

	x = qwen_tower_patches(t, &v, BLK_NO_BIAS); /* [images, patches, width] */
	for (il = 0; il < c->vision.depth; il++)
		x = block(t, &v, x, il);
	tr_scope(t, "vis.merger");
	x = blk_layer_norm(t, x, EPS, "vis.merger.ln_q");
	return (struct qwen_features){.merged = qwen2vl_merge(t, &v, x, c->text.hidden_size)};
}
