#include "delta_layer.h"

#include <math.h>

#define L2_EPS 1e-6 /* of the keys and queries: not in the config */

/* What a layer reads from its tokens. */
struct reads {
	struct ir_value *q, *k;        /* [batch, sequence, key heads, key_dim] */
	struct ir_value *v;            /* [batch, sequence, value heads, value_dim] */
	struct ir_value *decay, *beta; /* [batch, sequence, value heads] */
};

/*
 * Masked tokens become 0 before anything else. Their values are not 0 here, and would stay in the state;
 * a product with the mask would let a value that is not finite through.
 */
static struct ir_value *
masked(struct trace *t, const struct delta_layer *d, struct ir_value *y)
{
	struct ir_value *keep = blk_unsqueeze(t, d->unmasked, 2);

	return tr_name(t, tr_where(t, keep, y, tr_f32(t, 0)), "masked");
}

/* One of the parts of the convolution's channels, split into heads. */
static struct ir_value *
part(struct trace *t, struct ir_value *x, int64_t begin, int64_t heads, int64_t width, const char *name)
{
	struct ir_value *y = tr_slice(t, x, 2, begin, begin + heads * width);

	y = tr_name(t, y, "%s", name);
	return blk_heads(t, y, heads);
}

/* Queries, keys and values, each mixed with the few tokens before it. */
static void
states_read(struct trace *t, const struct delta_layer *d, struct ir_value *y, int il, struct reads *ret)
{
	const struct qwen3_5_linear *c = d->c;
	const int64_t key = c->key_heads * c->key_dim, value = c->value_heads * c->value_dim;
	struct ir_value *x, *w;

	x = blk_linear(t, y, 2 * key + value, BLK_NO_BIAS, "qkv", "lm.layers.%d.linear_attn.in_proj_qkv", il);
	w = tr_weight(t, shape_of(3, n(2 * key + value), n(1), n(c->kernel)),
		      "lm.layers.%d.linear_attn.conv1d.weight", il);
	x = tr_name(t, tr_causal_conv(t, x, w), "conv");
	x = tr_silu(t, x); /* [batch, sequence, 2*key + value] */
	ret->q = part(t, x, 0, c->key_heads, c->key_dim, "q");
	ret->q = tr_l2_normalize_eps(t, ret->q, L2_EPS);
	ret->k = part(t, x, key, c->key_heads, c->key_dim, "k");
	ret->k = tr_l2_normalize_eps(t, ret->k, L2_EPS);
	ret->v = part(t, x, 2 * key, c->value_heads, c->value_dim, "v");
}

/* How much a head forgets with each token, as a logarithm, and how far it corrects itself. */
static void
rates_read(struct trace *t, const struct delta_layer *d, struct ir_value *y, int il, struct reads *ret)
{
	const int64_t heads = d->c->value_heads;
	struct ir_value *a, *bias, *rate;

	ret->beta = blk_linear(t, y, heads, BLK_NO_BIAS, "b", "lm.layers.%d.linear_attn.in_proj_b", il);
	ret->beta = tr_name(t, tr_sigmoid(t, ret->beta), "beta");
	a = blk_linear(t, y, heads, BLK_NO_BIAS, "a", "lm.layers.%d.linear_attn.in_proj_a", il);
	bias = tr_weight(t, shape_of(1, n(heads)), "lm.layers.%d.linear_attn.dt_bias", il);
	a = tr_add(t, a, bias);
	a = tr_softplus(t, a); /* [batch, sequence, value heads] */
	rate = tr_weight(t, shape_of(1, n(heads)), "lm.layers.%d.linear_attn.A_log", il);
	rate = tr_exp(t, rate);
	rate = tr_mul(t, rate, tr_f32(t, -1));
	ret->decay = tr_name(t, tr_mul(t, a, rate), "decay");
}

/* What the heads found, each normed and then gated by the token itself: [batch, sequence, heads*value_dim]. */
static struct ir_value *
gated(struct trace *t, const struct delta_layer *d, struct ir_value *y, struct ir_value *found, int il)
{
	const struct qwen3_5_linear *c = d->c;
	struct ir_value *w, *z;

	z = blk_linear(t, y, c->value_heads * c->value_dim, BLK_NO_BIAS, "z",
		       "lm.layers.%d.linear_attn.in_proj_z", il);
	z = tr_silu(t, z);
	w = tr_weight(t, shape_of(1, n(c->value_dim)), "lm.layers.%d.linear_attn.norm.weight", il);
	found = tr_rms_norm(t, found, w, d->eps);
	found = blk_heads_merge(t, found);
	return tr_mul(t, found, z);
}

struct ir_value *
delta_layer_mix(struct trace *t, struct ir_value *y, int il, const void *arg)
{
	const struct delta_layer *d = arg;
	struct reads in;
	struct ir_value *x;

	tr_scope(t, "lm.%02d.delta", il);
	y = masked(t, d, y);
	states_read(t, d, y, il, &in);
	rates_read(t, d, y, il, &in);
	x = tr_delta_rule(t, in.q, in.k, in.v, in.decay, in.beta, 1 / sqrt((double)d->c->key_dim));
	x = tr_name(t, x, "found"); /* [batch, sequence, value heads, value_dim] */
	x = gated(t, d, y, x, il);
	return blk_linear(t, x, d->hidden, BLK_NO_BIAS, "o", "lm.layers.%d.linear_attn.out_proj", il);
}
