#include "decoder.h"

#include <math.h>
#include <stdarg.h>

#include "rope.h"

static const struct decoder_names llama = {
	.before_attention = "input_layernorm",
	.before_ff = "post_attention_layernorm",
	.q_norm = "self_attn.q_norm",
	.k_norm = "self_attn.k_norm",
	.o = "self_attn.o_proj",
	.gate = "mlp.gate_proj",
	.up = "mlp.up_proj",
	.down = "mlp.down_proj",
	.last = "lm.norm",
};

static const struct decoder_names *
names(const struct decoder *d)
{
	return d->names ? d->names : &llama;
}

/* The norm over the last axis of x, with the weight that the format names; its result is called `name`. */
static struct ir_value *norm(struct trace *t, const struct decoder *d, struct ir_value *x, const char *name,
			     const char *fmt, ...) _printf_(5, 6);

static struct ir_value *
norm(struct trace *t, const struct decoder *d, struct ir_value *x, const char *name, const char *fmt, ...)
{
	const struct shape s = shape_of(1, last_axis(x));
	struct ir_value *w;
	char weight[96];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(weight, sizeof(weight), fmt, ap);
	va_end(ap);
	w = d->norm == DECODER_NORM_ONE_PLUS ? tr_weight_plus_one(t, s, "%s", weight)
					     : tr_weight(t, s, "%s", weight);
	return tr_name(t, tr_rms_norm(t, x, w, d->eps), "%s", name);
}

/* Heads [b, s, heads, head_dim] with their positions in them. `what` is 'q' or 'k'. */
static struct ir_value *
rotate(struct trace *t, const struct decoder *d, const struct decoder_attention *kind, struct ir_value *x,
       char what, int il)
{
	const bool apart = kind->q_cos && what == 'q';
	char name[16];

	(void)snprintf(name, sizeof(name), "%c.norm", what);
	if (d->qk_norm)
		x = norm(t, d, x, name, "lm.layers.%d.%s.weight", il,
			 what == 'q' ? names(d)->q_norm : names(d)->k_norm);
	x = tr_rope(t, x, apart ? kind->q_cos : kind->cos, apart ? kind->q_sin : kind->sin);
	return tr_name(t, x, "%c.rope", what);
}

/* The queries [b, s, heads, head_dim], not rotated; with `gated` also *gate, of the same shape. */
static struct ir_value *
queries(struct trace *t, const struct decoder *d, struct ir_value *y, int il, struct ir_value **gate)
{
	const int64_t width = d->heads * d->head_dim;
	struct ir_value *q;

	q = tasks_linear(t, d->tasks, y, d->gated ? 2 * width : width, d->qkv_bias, "q",
			 "lm.layers.%d.self_attn.q_proj", il);
	q = blk_heads(t, q, d->heads);
	if (!d->gated)
		return q;
	*gate = tr_slice(t, q, 3, d->head_dim, 2 * d->head_dim);
	q = tr_slice(t, q, 3, 0, d->head_dim);
	return tr_name(t, q, "q.heads");
}

/* The state x with what a part of the layer gives for it. */
static struct ir_value *
add(struct trace *t, const struct decoder *d, struct ir_value *x, struct ir_value *part)
{
	if (d->residual > 0)
		part = tr_mul(t, part, tr_f32(t, d->residual));
	return tr_name(t, tr_add(t, x, part), "out");
}

/* What is added to the state x, whose norm is y. */
static struct ir_value *
attention(struct trace *t, const struct decoder *d, const struct decoder_attention *kind, struct ir_value *y,
	  int il)
{
	const double scale = d->scale > 0 ? d->scale : 1 / sqrt((double)d->head_dim);
	const int64_t kv_width = d->kv_heads * d->head_dim;
	struct ir_value *q, *k, *v, *a, *gate = NULL;

	q = queries(t, d, y, il, &gate);
	k = tasks_linear(t, d->tasks, y, kv_width, d->qkv_bias, "k", "lm.layers.%d.self_attn.k_proj", il);
	v = tasks_linear(t, d->tasks, y, kv_width, d->qkv_bias, "v", "lm.layers.%d.self_attn.v_proj", il);
	q = rotate(t, d, kind, q, 'q', il);
	k = blk_heads(t, k, d->kv_heads); /* [b, s, kv_heads, head_dim] */
	k = rotate(t, d, kind, k, 'k', il);
	v = blk_heads(t, v, d->kv_heads);
	a = tr_attention(t, q, k, v, kind->mask, kind->see, scale);
	if (d->gated) {
		gate = tr_sigmoid(t, gate);
		a = tr_mul(t, a, gate);
	}
	a = blk_heads_merge(t, a); /* [b, s, heads*head_dim] */
	return tasks_linear(t, d->tasks, a, d->hidden, d->o_bias, "o", "lm.layers.%d.%s", il, names(d)->o);
}

/* The part of a layer in which tokens meet. */
static struct ir_value *
mix(struct trace *t, const struct decoder *d, const struct decoder_attention *kind, struct ir_value *x,
    int il)
{
	struct ir_value *y, *a;

	tr_scope(t, "lm.%02d.attn", il);
	y = norm(t, d, x, "norm", "lm.layers.%d.%s.weight", il, names(d)->before_attention);
	a = d->mixes && d->mixes[il] ? d->mixer(t, y, il, d->mixer_arg) : attention(t, d, kind, y, il);
	if (d->after_norms)
		a = norm(t, d, a, "after", "lm.layers.%d.post_attention_layernorm.weight", il);
	return add(t, d, x, a);
}

static struct ir_value *
mlp(struct trace *t, const struct decoder *d, struct ir_value *x, int il)
{
	const char *before = d->after_norms ? "pre_feedforward_layernorm" : names(d)->before_ff;
	struct ir_value *y, *g, *u;

	tr_scope(t, "lm.%02d.mlp", il);
	y = norm(t, d, x, "norm", "lm.layers.%d.%s.weight", il, before);
	g = tasks_linear(t, d->tasks, y, d->ff, BLK_NO_BIAS, "gate", "lm.layers.%d.%s", il,
			 names(d)->gate); /* [b, s, ff] */
	u = tasks_linear(t, d->tasks, y, d->ff, BLK_NO_BIAS, "up", "lm.layers.%d.%s", il, names(d)->up);
	g = d->act == DECODER_GELU_TANH ? tr_gelu_tanh(t, g) : tr_silu(t, g);
	g = tr_mul(t, g, u);
	y = tasks_linear(t, d->tasks, g, d->hidden, BLK_NO_BIAS, "down", "lm.layers.%d.%s", il,
			 names(d)->down);
	if (d->after_norms)
		y = norm(t, d, y, "after", "lm.layers.%d.post_feedforward_layernorm.weight", il);
	return add(t, d, x, y);
}

struct decoder_attention
decoder_attention_counted(struct trace *t, const struct rope *rope, int64_t head_dim,
			  struct ir_value *unmasked)
{
	struct decoder_attention a = {.mask = unmasked, .see = IR_MASK_CAUSAL};
	struct ir_value *angles, *inv, *magnitude;

	tr_scope(t, "rope");
	inv = rope_inv_freq(t, rope, head_dim);
	angles = tr_iota(t, sym(SYM_SEQUENCE));
	angles = blk_angles(t, angles, inv);
	angles = blk_unsqueeze(t, angles, 1); /* [sequence, 1, head_dim/2] */
	a.cos = tr_cos(t, angles);
	a.sin = tr_sin(t, angles);
	if (rope->magnitude != 0 && rope->magnitude != 1) {
		magnitude = tr_f32(t, rope->magnitude);
		a.cos = tr_mul(t, a.cos, magnitude);
		a.sin = tr_mul(t, a.sin, magnitude);
	}
	a.cos = tr_name(t, a.cos, "cos");
	a.sin = tr_name(t, a.sin, "sin");
	return a;
}

struct ir_value *
decoder_build(struct trace *t, const struct decoder *d, struct ir_value *x,
	      const struct decoder_attention kind[])
{
	int il;

	for (il = 0; il < d->layers; il++) {
		x = mix(t, d, &kind[d->sliding && d->sliding[il]], x, il);
		x = mlp(t, d, x, il);
		if (d->after)
			x = d->after(t, x, il, d->after_arg);
	}
	tr_scope(t, "lm");
	return norm(t, d, x, "norm", "%s.weight", names(d)->last);
}
