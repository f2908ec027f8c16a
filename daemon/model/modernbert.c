#include "modernbert.h"

#include <math.h>

#include "base/str.h"

#define FIELD(field) offsetof(struct modernbert_config, field)

/* The fallbacks are transformers' own: older configs leave such values out. */
static const struct config_int rows[] = {
	{"hidden_size", 1, 65536, 768, FIELD(hidden_size)},
	{"num_hidden_layers", 1, MODERNBERT_LAYERS_MAX, 22, FIELD(num_hidden_layers)},
	{"num_attention_heads", 1, 1024, 12, FIELD(num_attention_heads)},
	{"intermediate_size", 1, 1 << 20, 1152, FIELD(intermediate_size)},
	{"vocab_size", 1, 1 << 24, 50368, FIELD(vocab_size)},
};

/* Not supported: no published retriever uses these. */
static const char *const biases[] = {"norm_bias", "attention_bias", "mlp_bias"};

static int
biases_check(const struct config_scope *s, struct err *e)
{
	bool bias = false;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(biases); i++) {
		r = json_get_bool(s->obj, s->path, biases[i], JSON_OPTIONAL, E_BAD_CHECKPOINT, &bias, e);
		if (r < 0)
			return r;
		if (bias)
			return config_fail(s, biases[i], E_UNSUPPORTED_MODEL, e, "true is not supported");
	}
	return 0;
}

/*
 * The kind of each layer: by name, or full for every layer whose number is a multiple of
 * `global_attn_every_n_layers`.
 */
static int
kinds_read(const struct config_scope *s, struct modernbert_config *c, struct err *e)
{
	const json_t *types = NULL;
	const char *type;
	int64_t every = 3, i;
	int r;

	if ((r = json_get_int(s->obj, s->path, "global_attn_every_n_layers", JSON_OPTIONAL, 1, 1 << 20,
			      E_BAD_CHECKPOINT, &every, e)) < 0 ||
	    (r = json_get_array(s->obj, s->path, "layer_types", JSON_OPTIONAL, E_BAD_CHECKPOINT, &types, e)) <
		    0)
		return r;
	if (types && json_array_size(types) != (size_t)c->num_hidden_layers)
		return config_fail(s, "layer_types", E_BAD_CHECKPOINT, e,
				   "must name a type for each of the %lld layers",
				   (long long)c->num_hidden_layers);
	for (i = 0; i < c->num_hidden_layers; i++) {
		c->kind[i] = i % every ? MODERNBERT_LOCAL : MODERNBERT_FULL;
		if (!types)
			continue;
		type = json_string_value(json_array_get(types, (size_t)i));
		if (!type || (!str_eq(type, "full_attention") && !str_eq(type, "sliding_attention")))
			return config_fail(
				s, "layer_types", E_UNSUPPORTED_MODEL, e,
				"other than 'full_attention' and 'sliding_attention' are not supported");
		c->kind[i] = str_eq(type, "full_attention") ? MODERNBERT_FULL : MODERNBERT_LOCAL;
	}
	return 0;
}

/* Where transformers stores the thetas: since version 5, and before. */
static const struct {
	const char *sub, *key;
	double fallback;
} thetas[] = {
	[MODERNBERT_FULL] = {"full_attention", "global_rope_theta", 160000},
	[MODERNBERT_LOCAL] = {"sliding_attention", "local_rope_theta", 10000},
};

/*
 * A config can name another model instead of repeating its values. Then it does not give theta, and the
 * models that can be named differ in it.
 */
static int
theta_unknown(const struct config_scope *s, size_t kind, struct err *e)
{
	const char *from = json_string_value(json_object_get(s->obj, "text_model_name"));

	if (!from || json_object_get(s->obj, thetas[kind].key))
		return 0;
	return config_fail(s, thetas[kind].key, E_BAD_CHECKPOINT, e,
			   "is missing: add it, with the value that config.json of '%.60s' has", from);
}

static int
thetas_read(const struct config_scope *s, struct modernbert_config *c, struct err *e)
{
	struct config_scope rope, kind = {.obj = NULL};
	size_t i;
	int r = config_sub(s, "rope_parameters", JSON_OPTIONAL, &rope, e);

	for (i = 0; i < MODERNBERT_KINDS && r == 0; i++) {
		if (rope.obj)
			r = config_sub(&rope, thetas[i].sub, JSON_OPTIONAL, &kind, e);
		if (r == 0 && !kind.obj)
			r = theta_unknown(s, i, e);
		if (r == 0)
			r = config_double(s, thetas[i].key, thetas[i].fallback, 1e12, &c->theta[i], e);
		if (r < 0 || !kind.obj)
			continue;
		r = config_only(&kind, "rope_type", "default", "default", e);
		if (r == 0)
			r = config_double(&kind, "rope_theta", c->theta[i], 1e12, &c->theta[i], e);
	}
	return r;
}

int
modernbert_config_read(const struct config_scope *s, struct modernbert_config *c, struct err *e)
{
	int64_t window = 128;
	int r;

	if ((r = config_only(s, "hidden_activation", "gelu", "gelu", e)) < 0 ||
	    (r = biases_check(s, e)) < 0 || (r = config_ints(s, rows, ARRAY_LEN(rows), c, e)) < 0 ||
	    (r = config_double(s, "norm_eps", 1e-5, 1, &c->norm_eps, e)) < 0 ||
	    (r = json_get_int(s->obj, s->path, "local_attention", JSON_OPTIONAL, 1, 1 << 24, E_BAD_CHECKPOINT,
			      &window, e)) < 0 ||
	    (r = kinds_read(s, c, e)) < 0 || (r = thetas_read(s, c, e)) < 0)
		return r;
	c->reach = window / 2;
	c->head_dim = c->hidden_size / c->num_attention_heads;
	if (c->hidden_size % c->num_attention_heads || c->head_dim % 2)
		return config_fail(s, "hidden_size", E_BAD_CHECKPOINT, e,
				   "must be an even multiple of num_attention_heads");
	return 0;
}

/* The rotary tables and the mask for one kind of layers. */
struct attend {
	struct ir_value *cos, *sin; /* [sequence, 1, head_dim/2] */
	struct ir_value *mask;
};

/* These norms have weights but no biases. */
static struct ir_value *
norm(struct trace *t, const struct modernbert_config *c, struct ir_value *x, const char *name)
{
	struct ir_value *w = tr_weight(t, shape_of(1, n(c->hidden_size)), "%s.weight", name);

	return tr_layer_norm(t, x, w, NULL, c->norm_eps);
}

static struct ir_value *
layer_norm(struct trace *t, const struct modernbert_config *c, struct ir_value *x, const char *name, int il)
{
	char full[64];

	(void)snprintf(full, sizeof(full), "lm.layers.%d.%s", il, name);
	return norm(t, c, x, full);
}

static struct attend
attend_build(struct trace *t, const struct modernbert_config *c, enum modernbert_kind kind,
	     struct ir_value *unmasked)
{
	static const char *const names[] = {"full", "local"};
	struct attend a;
	struct ir_value *angles, *inv;
	char table[32];

	tr_scope(t, "rope.%s", names[kind]);
	(void)snprintf(table, sizeof(table), "rope.%s.inv_freq", names[kind]);
	inv = blk_inv_freq(t, table, c->theta[kind], c->head_dim, 0, c->head_dim / 2);
	angles = tr_iota(t, sym(SYM_SEQUENCE));
	angles = blk_angles(t, angles, inv);
	angles = blk_unsqueeze(t, angles, 1); /* [sequence, 1, head_dim/2] */
	a.cos = tr_name(t, tr_cos(t, angles), "cos");
	a.sin = tr_name(t, tr_sin(t, angles), "sin");
	tr_scope(t, "lm.%s", names[kind]);
	a.mask = kind == MODERNBERT_LOCAL ? blk_window(t, unmasked, c->reach) : unmasked;
	return a;
}

static struct ir_value *
part(struct trace *t, struct ir_value *x, int which, int64_t width, const char *name)
{
	return tr_name(t, tr_slice(t, x, 2, which * width, (which + 1) * width), "%s", name);
}

static struct ir_value *
attention(struct trace *t, const struct modernbert_config *c, const struct attend *with, struct ir_value *x,
	  int il)
{
	const int64_t w = c->hidden_size, heads = c->num_attention_heads;
	struct ir_value *y = x, *q, *k, *v, *a;

	tr_scope(t, "lm.%02d.attn", il);
	if (il > 0) /* the first layer uses the norm of the embeddings */
		y = layer_norm(t, c, x, "attn_norm", il);
	y = blk_linear(t, y, 3 * w, BLK_NO_BIAS, "qkv", "lm.layers.%d.attn.Wqkv", il);
	q = part(t, y, 0, w, "q");
	k = part(t, y, 1, w, "k");
	v = part(t, y, 2, w, "v");
	q = blk_heads(t, q, heads); /* [batch, sequence, heads, head_dim] */
	k = blk_heads(t, k, heads);
	v = blk_heads(t, v, heads);
	q = tr_name(t, tr_rope(t, q, with->cos, with->sin), "q.rope");
	k = tr_name(t, tr_rope(t, k, with->cos, with->sin), "k.rope");
	a = tr_attention(t, q, k, v, with->mask, IR_MASK_FULL, 1 / sqrt((double)c->head_dim));
	a = blk_heads_merge(t, a);
	a = blk_linear(t, a, w, BLK_NO_BIAS, "o", "lm.layers.%d.attn.Wo", il);
	return tr_name(t, tr_add(t, x, a), "out");
}

static struct ir_value *
mlp(struct trace *t, const struct modernbert_config *c, struct ir_value *x, int il)
{
	const int64_t inner = c->intermediate_size;
	struct ir_value *y, *gate, *up;

	tr_scope(t, "lm.%02d.mlp", il);
	y = layer_norm(t, c, x, "mlp_norm", il);
	y = blk_linear(t, y, 2 * inner, BLK_NO_BIAS, "in", "lm.layers.%d.mlp.Wi", il);
	gate = part(t, y, 0, inner, "gate");
	up = part(t, y, 1, inner, "up");
	gate = tr_gelu(t, gate);
	y = tr_mul(t, gate, up); /* [batch, sequence, inner] */
	y = blk_linear(t, y, c->hidden_size, BLK_NO_BIAS, "down", "lm.layers.%d.mlp.Wo", il);
	return tr_name(t, tr_add(t, x, y), "out");
}

struct ir_value *
modernbert_build(struct trace *t, const struct modernbert_config *c, struct ir_value *x,
		 const struct blk_text *in)
{
	struct attend kind[MODERNBERT_KINDS];
	bool made[MODERNBERT_KINDS] = {false};
	int il;

	for (il = 0; il < c->num_hidden_layers; il++)
		if (!made[c->kind[il]]) {
			kind[c->kind[il]] = attend_build(t, c, c->kind[il], in->unmasked);
			made[c->kind[il]] = true;
		}
	tr_scope(t, "lm");
	x = norm(t, c, x, "lm.embeddings.norm");
	for (il = 0; il < c->num_hidden_layers; il++) {
		x = attention(t, c, &kind[c->kind[il]], x, il);
		x = mlp(t, c, x, il);
	}
	tr_scope(t, "lm");
	return norm(t, c, x, "lm.final_norm");
}
