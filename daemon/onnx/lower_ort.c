/*
 * Lowerings to ONNX Runtime's own ops (domain com.microsoft): the overrides of target_ort, in one table at the end. Each computes
 * what the default one does; where an op cannot, the default one is used.
 */
#include "emit_private.h"

#include <math.h>

#include "lower.h"
#include "target.h"

#define MICROSOFT "com.microsoft"

static const char *
microsoft_op(struct emit *em, const char *suffix, const char *type, const char *const *in, size_t n_in)
{
	const char *x = emit_node(em, suffix, suffix, type, in, n_in);

	emit_domain(em, MICROSOFT);
	return x;
}

/* ---- activations ---- */

static void
silu(struct emit *em, const struct ir_node *n)
{
	(void)microsoft_op(em, "", "QuickGelu", EMIT_NAMES(emit_in(em, n->in[0])));
	emit_attr_float(em, "alpha", 1);
}

static void
quick_gelu(struct emit *em, const struct ir_node *n)
{
	(void)microsoft_op(em, "", "QuickGelu", EMIT_NAMES(emit_in(em, n->in[0])));
	emit_attr_float(em, "alpha", 1.702);
}

static void
gelu(struct emit *em, const struct ir_node *n)
{
	(void)microsoft_op(em, "", "Gelu", EMIT_NAMES(emit_in(em, n->in[0])));
}

static void
gelu_tanh(struct emit *em, const struct ir_node *n)
{
	(void)microsoft_op(em, "", "FastGelu", EMIT_NAMES(emit_in(em, n->in[0])));
}

/* ---- norms, and the sums before them ---- */

static bool
is_norm_of(const struct ir_node *n, const struct ir_value *x)
{
	return n && (n->op == OP_RMS_NORM || n->op == OP_LAYER_NORM) && n->in[0] == x;
}

/*
 * x + delta with the norm that follows it: one node gives both. In a float16 graph norms compute in float32 and sums do not, so
 * that they stay apart.
 */
static void
add(struct emit *em, const struct ir_node *n)
{
	const struct ir_node *norm = em->next;
	const bool rms = norm && norm->op == OP_RMS_NORM;
	const char *in[4];
	int i;

	if (em->job->options->half || !is_norm_of(norm, n->out) || n->out->shape.rank != 3 ||
	    !shape_eq(&n->in[0]->shape, &n->in[1]->shape)) {
		lower_add(em, n);
		return;
	}
	for (i = 0; i < 2; i++)
		in[i] = emit_in(em, n->in[i]);
	for (i = 1; i < norm->n_in; i++)
		in[i + 1] = emit_in(em, norm->in[i]);
	em->prefix = em->value[norm->out->id].name;
	(void)microsoft_op(em, "", rms ? "SkipSimplifiedLayerNormalization" : "SkipLayerNormalization", in,
			   (size_t)norm->n_in + 1);
	emit_attr_float(em, "epsilon", norm->attr.f);
	emit_output_named(em, "");
	emit_output_named(em, "");
	emit_output_named(em, em->value[n->out->id].name);
	em->fused = norm;
}

static void
rms_norm(struct emit *em, const struct ir_node *n)
{
	if (n == em->fused)
		return;
	(void)emit_result(em, "SimplifiedLayerNormalization", emit_in(em, n->in[0]), emit_in(em, n->in[1]));
	emit_attr_int(em, "axis", -1);
	emit_attr_float(em, "epsilon", n->attr.f);
	emit_attr_int(em, "stash_type", 1); /* the sum in float32 */
}

/* The norm of n numbers is their root mean square times sqrt(n). */
static void
l2_normalize(struct emit *em, const struct ir_node *n)
{
	const struct shape *s = &n->out->shape;
	const int64_t width = dim_is_const(s->dim[s->rank - 1]) ? s->dim[s->rank - 1].num : 0;
	float *weight;
	int64_t i;

	if (width == 0 || n->attr.f == 0) {
		lower_l2_normalize(em, n);
		return;
	}
	weight = emit_take(em, (size_t)width * sizeof(*weight));
	for (i = 0; weight && i < width; i++)
		weight[i] = (float)(1 / sqrt((double)width));
	(void)emit_result(em, "SimplifiedLayerNormalization", emit_in(em, n->in[0]),
			  weight ? emit_table(em, NULL, ELEM_F32, 1, &width, weight) : "");
	emit_attr_int(em, "axis", -1);
	emit_attr_float(em, "epsilon", n->attr.f / (double)width);
	emit_attr_int(em, "stash_type", 1);
}

static void
layer_norm(struct emit *em, const struct ir_node *n)
{
	if (n != em->fused)
		lower_layer_norm(em, n);
}

/* ---- positions ---- */

/* cos or sin as a table: float [rows, pairs]. */
static const char *
table_make(struct emit *em, const void *value)
{
	const struct ir_value *v = value;
	const int64_t pairs = v->shape.dim[v->shape.rank - 1].num;

	return emit_op(em, "table", "Reshape", emit_in(em, v), emit_i64_list(em, -1, pairs));
}

/* The row of the table for each token: int64 [batch, tokens]. */
static const char *
rows_make(struct emit *em, const void *arg)
{
	const struct ir_node *n = arg;
	const struct shape *x = &n->in[0]->shape;
	const struct dim all = n->in[1]->shape.rank == 4 ? dim_mul(x->dim[0], x->dim[1]) : x->dim[1];
	const char *sides[2], *shape, *rows = emit_range(em, "range", all);

	sides[0] = emit_dim(em, x->dim[0]);
	sides[1] = emit_dim(em, x->dim[1]);
	shape = emit_node(em, "shape", "shape", "Concat", sides, 2);
	emit_attr_int(em, "axis", 0);
	return emit_op(em, "rows", n->in[1]->shape.rank == 4 ? "Reshape" : "Expand", rows, shape);
}

/* [b, s, h, d] as [b, s, h*d]. */
static const char *
flat(struct emit *em, const char *suffix, const char *x)
{
	return emit_op(em, suffix, "Reshape", x, emit_i64_list(em, 0, 0, -1));
}

static void
rope(struct emit *em, const struct ir_node *n)
{
	const struct shape *x = &n->in[0]->shape, *cosine = &n->in[1]->shape;
	const int64_t heads = x->dim[2].num, d = x->dim[3].num, r = 2 * cosine->dim[cosine->rank - 1].num;
	char batch[128], tokens[128];
	const char *in[4], *name, *y;

	name = emit_format(em, "rows.%s.%s.%s", dim_str(x->dim[0], batch, sizeof(batch)),
			   dim_str(x->dim[1], tokens, sizeof(tokens)), cosine->rank == 4 ? "own" : "same");
	in[0] = flat(em, "flat", emit_in(em, n->in[0]));
	in[1] = emit_once(em, NULL, name, rows_make, n);
	in[2] = emit_once(em, n->in[1], "table", table_make, n->in[1]);
	in[3] = emit_once(em, n->in[2], "table", table_make, n->in[2]);
	y = microsoft_op(em, "rotated", "RotaryEmbedding", in, ARRAY_LEN(in));
	emit_attr_int(em, "num_heads", heads);
	if (r < d)
		emit_attr_int(em, "rotary_embedding_dim", r);
	(void)emit_result(em, "Reshape", y, emit_i64_list(em, 0, 0, heads, d));
}

/* ---- attention over keys that are the same for all queries ---- */

/*
 * The kernels that need no memory for scores take no mask. So the mask becomes features of q and k: q has a 1 more for each head, and
 * k a 0, or for a hidden key a number so far below 0 that its weight is exactly 0. Seven more zeros keep the width a multiple of 8.
 */
#define FEATURES 8

static double
hidden(const struct emit *em)
{
	return em->half ? -6e4 : -1e9;
}

/* The features that k gets: [b, t, 1, FEATURES]. */
static const char *
key_features_make(struct emit *em, const void *mask)
{
	static const int64_t pads[] = {0, 0, 0, 0, 0, 0, 0, FEATURES - 1};
	const char *keys = emit_in(em, mask);
	const char *x = emit_op(em, "shown", "Where", keys, emit_f32(em, 0), emit_f32(em, hidden(em)));

	x = emit_op(em, "feature", "Unsqueeze", x, emit_i64_list(em, 2, 3));
	return emit_op(em, "features", "Pad", x, emit_i64s(em, ARRAY_LEN(pads), pads));
}

/* x [b, s, h, d] with features [.., 1, FEATURES] for each head. */
static const char *
widen(struct emit *em, const char *suffix, const struct ir_value *v, const char *x, const char *features)
{
	const char *side[4], *shape;
	int i;

	for (i = 0; i < 3; i++)
		side[i] = emit_dim(em, v->shape.dim[i]);
	side[3] = emit_i64_list(em, FEATURES);
	shape = emit_node(em, emit_format(em, "%s.shape", suffix), emit_format(em, "%s.shape", suffix),
			  "Concat", side, ARRAY_LEN(side));
	emit_attr_int(em, "axis", 0);
	features = emit_op(em, emit_format(em, "%s.features", suffix), "Expand", features, shape);
	x = emit_op(em, suffix, "Concat", x, features);
	emit_attr_int(em, "axis", 3);
	return x;
}

/* Each head of k or v as often as heads of q share it. */
static const char *
repeat(struct emit *em, const char *suffix, const char *x, int64_t heads, int64_t kv, int64_t d)
{
	if (heads == kv)
		return x;
	x = emit_op(em, emit_format(em, "%s.apart", suffix), "Unsqueeze", x, emit_i64_list(em, 3));
	x = emit_op(em, emit_format(em, "%s.copies", suffix), "Expand", x,
		    emit_i64_list(em, 1, 1, 1, heads / kv, 1));
	return emit_op(em, suffix, "Reshape", x, emit_i64_list(em, 0, 0, heads, d));
}

static void
attention_keys(struct emit *em, const struct ir_node *n)
{
	static const float one[FEATURES] = {1};
	static const int64_t one_dims[] = {1, 1, 1, FEATURES};
	const struct ir_value *mask = n->n_in == 4 ? n->in[3] : NULL;
	const int64_t heads = n->in[0]->shape.dim[2].num, kv = n->in[1]->shape.dim[2].num,
		      d = n->in[0]->shape.dim[3].num;
	const char *in[3], *x, *features;

	in[0] = emit_in(em, n->in[0]);
	in[1] = emit_in(em, n->in[1]);
	in[2] = emit_in(em, n->in[2]);
	if (mask) {
		features = emit_once(em, mask, "features", key_features_make, mask);
		in[0] = widen(em, "q", n->in[0], in[0], emit_table(em, NULL, ELEM_F32, 4, one_dims, one));
		in[1] = widen(em, "k", n->in[1], in[1], features);
	}
	in[1] = repeat(em, "k.repeated", in[1], heads, kv, mask ? d + FEATURES : d);
	in[2] = repeat(em, "v.repeated", in[2], heads, kv, d);
	in[0] = flat(em, "q.flat", in[0]);
	in[1] = flat(em, "k.flat", in[1]);
	in[2] = flat(em, "v.flat", in[2]);
	x = microsoft_op(em, "mixed", "MultiHeadAttention", in, ARRAY_LEN(in));
	emit_attr_int(em, "num_heads", heads);
	emit_attr_float(em, "scale", n->attr.f);
	(void)emit_result(em, "Reshape", x, emit_i64_list(em, 0, 0, heads, d));
}

/* ---- causal attention ---- */

/* GroupQueryAttention keeps all scores at once: up to 128 MiB of them. Beyond, the default lowering runs. */
#define SCORES_MAX (32 << 20)

static const char *
short_make(struct emit *em, const void *arg)
{
	const struct ir_node *n = arg;
	const struct shape *q = &n->in[0]->shape;
	const struct dim scores = dim_mul(dim_mul(q->dim[0], q->dim[2]), dim_mul(q->dim[1], q->dim[1]));
	const char *x = emit_op(em, "scores", "Squeeze", emit_dim(em, scores), emit_i64_list(em, 0));

	return emit_op(em, "short", "LessOrEqual", x, emit_i64(em, SCORES_MAX));
}

/* The tokens of each row but one: int32 [batch]. Padding is a matter of the bias, wherever it is. */
static const char *
lengths_make(struct emit *em, const void *arg)
{
	const struct shape *q = arg;
	const char *x = emit_op(em, "last", "Sub", emit_dim(em, q->dim[1]), emit_i64_list(em, 1));

	x = emit_op(em, "last32", "Cast", x);
	emit_attr_elem(em, "to", ELEM_I32);
	return emit_op(em, "lengths", "Expand", x, emit_dim(em, q->dim[0]));
}

static const char *
total_make(struct emit *em, const void *arg)
{
	const struct shape *q = arg;
	const char *x = emit_op(em, "tokens", "Squeeze", emit_dim(em, q->dim[1]), emit_i64_list(em, 0));

	x = emit_op(em, "total", "Cast", x);
	emit_attr_elem(em, "to", ELEM_I32);
	return x;
}

/* Hidden keys as numbers that are added to scores: [b, 1, 1, t]. */
static const char *
key_bias_make(struct emit *em, const void *mask)
{
	const char *keys = emit_op(em, "shown", "Unsqueeze", emit_in(em, mask), emit_i64_list(em, 1, 2));

	return emit_op(em, "added", "Where", keys, emit_f32(em, 0), emit_f32(em, hidden(em)));
}

/* What is made once for all layers. */
struct causal {
	const char *is_short, *lengths, *total, *bias;
};

static struct causal
causal_make(struct emit *em, const struct ir_node *n)
{
	const struct shape *q = &n->in[0]->shape;
	char batch[128], tokens[128];
	struct causal c;
	const char *name = emit_format(em, "causal.%s.%s", dim_str(q->dim[0], batch, sizeof(batch)),
				       dim_str(q->dim[1], tokens, sizeof(tokens)));

	c.is_short = emit_once(em, NULL, emit_format(em, "%s.%lld", name, (long long)q->dim[2].num),
			       short_make, n);
	c.lengths = emit_once(em, NULL, emit_format(em, "%s.lengths", name), lengths_make, q);
	c.total = emit_once(em, NULL, emit_format(em, "%s.total", name), total_make, q);
	c.bias = emit_once(em, n->in[3], "added", key_bias_make, n->in[3]);
	return c;
}

static struct emit_branch *
branch_fused(struct emit *em, const struct ir_node *n, const struct causal *c)
{
	const struct shape *q = &n->in[0]->shape, *k = &n->in[1]->shape;
	struct emit_branch *b;
	const char *in[11] = {"", "", "", "", "", "", "", "", "", "", ""}, *side[4], *x;
	int i;

	for (i = 0; i < 3; i++)
		in[i] = emit_in(em, n->in[i]);
	b = emit_body_begin(em);
	side[0] = side[1] = emit_i64_list(em, 1);
	side[2] = emit_dim(em, q->dim[1]);
	side[3] = side[0];
	x = emit_node(em, "bias.shape", "bias.shape", "Concat", side, ARRAY_LEN(side));
	emit_attr_int(em, "axis", 0);
	in[10] = emit_op(em, "bias", "Expand", c->bias, x);
	in[0] = flat(em, "q.flat", in[0]);
	in[1] = flat(em, "k.flat", in[1]);
	in[2] = flat(em, "v.flat", in[2]);
	in[5] = c->lengths;
	in[6] = c->total;
	x = microsoft_op(em, "fused", "GroupQueryAttention", in, ARRAY_LEN(in));
	emit_output(em, "keys_seen");
	emit_output(em, "values_seen");
	emit_attr_int(em, "num_heads", q->dim[2].num);
	emit_attr_int(em, "kv_num_heads", k->dim[2].num);
	emit_attr_float(em, "scale", n->attr.f);
	x = emit_op(em, "fused.heads", "Reshape", x, emit_i64_list(em, 0, 0, q->dim[2].num, q->dim[3].num));
	emit_body_output(em, b, x, ELEM_F32);
	emit_body_end(em, b, "at_once");
	return b;
}

static struct emit_branch *
branch_blocks(struct emit *em, const struct ir_node *n)
{
	struct emit_branch *b = emit_body_begin(em);

	emit_body_output(em, b, lower_attention_blocks(em, n, "in_blocks"), ELEM_F32);
	emit_body_end(em, b, "long");
	return b;
}

static void
attention_causal(struct emit *em, const struct ir_node *n)
{
	const struct causal c = causal_make(em, n);
	struct emit_branch *fused = branch_fused(em, n, &c), *blocks = branch_blocks(em, n);

	(void)emit_result(em, "If", c.is_short);
	emit_attr_branch(em, "then_branch", fused);
	emit_attr_branch(em, "else_branch", blocks);
}

static void
attention(struct emit *em, const struct ir_node *n)
{
	const bool masked = n->n_in == 4, causal = n->attr.i == IR_MASK_CAUSAL;

	if (masked && n->in[3]->shape.rank == 3)
		lower_attention(em, n); /* the keys of each query: no kernel takes these without all scores */
	else if (!causal)
		attention_keys(em, n);
	else if (n->in[0]->shape.dim[3].num % 8 == 0) /* which GroupQueryAttention asks for */
		attention_causal(em, n);
	else
		lower_attention(em, n);
}

/* ---- linear attention ---- */

/* Token by token, in the kernel. The last state has to have a name, although nothing uses it. */
static void
delta_rule(struct emit *em, const struct ir_node *n)
{
	const struct shape *k = &n->in[1]->shape, *v = &n->in[2]->shape;
	const char *in[6], *x;

	in[0] = flat(em, "q.flat", emit_in(em, n->in[0]));
	in[1] = flat(em, "k.flat", emit_in(em, n->in[1]));
	in[2] = flat(em, "v.flat", emit_in(em, n->in[2]));
	in[3] = ""; /* the state before the first token: zeros */
	in[4] = emit_in(em, n->in[3]);
	in[5] = emit_in(em, n->in[4]);
	x = microsoft_op(em, "tokens", "LinearAttention", in, ARRAY_LEN(in));
	(void)emit_output(em, "state");
	emit_attr_int(em, "q_num_heads", k->dim[2].num);
	emit_attr_int(em, "kv_num_heads", v->dim[2].num);
	emit_attr_string(em, "update_rule", "gated_delta");
	emit_attr_float(em, "scale", n->attr.f);
	(void)emit_result(em, "Reshape", x, emit_i64_list(em, 0, 0, v->dim[2].num, v->dim[3].num));
}

const struct target_override ort_overrides[] = {
	{OP_SILU, silu},
	{OP_QUICK_GELU, quick_gelu},
	{OP_GELU, gelu},
	{OP_GELU_TANH, gelu_tanh},
	{OP_ADD, add},
	{OP_RMS_NORM, rms_norm},
	{OP_LAYER_NORM, layer_norm},
	{OP_ROPE, rope},
	{OP_ATTENTION, attention},
	{OP_L2_NORMALIZE, l2_normalize},
	{OP_DELTA_RULE, delta_rule},
	{0},
};
