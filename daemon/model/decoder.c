#include "decoder.h"

#include <math.h>

static struct ir_value *
norm(struct trace *t, const struct decoder *d, struct ir_value *x, const char *weight)
{
	struct shape s = shape_of(1, n(d->hidden));
	struct ir_value *w =
		d->gemma ? tr_weight_plus_one(t, s, "%s", weight) : tr_weight(t, s, "%s", weight);

	return tr_name(t, tr_rms_norm(t, x, w, d->eps), "norm");
}

static struct ir_value *
attention(struct trace *t, const struct decoder *d, struct ir_value *x, struct ir_value *cos,
	  struct ir_value *sin, struct ir_value *bias, int il)
{
	const enum blk_bias b = d->gemma ? BLK_NO_BIAS : BLK_BIAS;
	struct ir_value *y, *q, *k, *v, *a;
	char weight[64];

	tr_scope(t, "lm.%02d.attn", il);
	(void)snprintf(weight, sizeof(weight), "lm.layers.%d.input_layernorm.weight", il);
	y = norm(t, d, x, weight);
	q = blk_linear(t, y, d->heads * d->head_dim, b, "q", "lm.layers.%d.self_attn.q_proj", il);
	k = blk_linear(t, y, d->kv_heads * d->head_dim, b, "k", "lm.layers.%d.self_attn.k_proj", il);
	v = blk_linear(t, y, d->kv_heads * d->head_dim, b, "v", "lm.layers.%d.self_attn.v_proj", il);
	q = tr_name(t, tr_rope(t, blk_heads_split(t, q, d->heads), cos, sin),
		    "q.rope"); /* [b, heads, s, head_dim] */
	k = tr_name(t, tr_rope(t, blk_heads_split(t, k, d->kv_heads), cos, sin),
		    "k.rope"); /* [b, kv_heads, s, head_dim] */
	v = blk_heads_split(t, v, d->kv_heads);
	a = tr_attention(t, q, k, v, bias, 1 / sqrt((double)d->head_dim));
	a = blk_heads_merge(t, a); /* [b, s, heads*head_dim] */
	return tr_name(
		t,
		tr_add(t, x,
		       blk_linear(t, a, d->hidden, BLK_NO_BIAS, "o", "lm.layers.%d.self_attn.o_proj", il)),
		"out");
}

static struct ir_value *
mlp(struct trace *t, const struct decoder *d, struct ir_value *x, int il)
{
	struct ir_value *y, *g, *u;
	char weight[64];

	tr_scope(t, "lm.%02d.mlp", il);
	(void)snprintf(weight, sizeof(weight), "lm.layers.%d.post_attention_layernorm.weight", il);
	y = norm(t, d, x, weight);
	g = blk_linear(t, y, d->ff, BLK_NO_BIAS, "gate", "lm.layers.%d.mlp.gate_proj", il); /* [b, s, ff] */
	u = blk_linear(t, y, d->ff, BLK_NO_BIAS, "up", "lm.layers.%d.mlp.up_proj", il);
	g = tr_mul(t, d->gemma ? tr_gelu_tanh(t, g) : tr_silu(t, g), u);
	return tr_name(
		t,
		tr_add(t, x,
		       blk_linear(t, g, d->hidden, BLK_NO_BIAS, "down", "lm.layers.%d.mlp.down_proj", il)),
		"out");
}

struct ir_value *
decoder_build(struct trace *t, const struct decoder *d, struct ir_value *x, struct ir_value *cos,
	      struct ir_value *sin, struct ir_value *bias)
{
	int il;

	for (il = 0; il < d->layers; il++) {
		x = attention(t, d, x, cos, sin, bias, il);
		x = mlp(t, d, x, il);
	}
	tr_scope(t, "lm");
	return norm(t, d, x, "lm.norm.weight");
}
