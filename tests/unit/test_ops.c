/*
 * Every op of graph/ops.def, computed by libtorch and, after its lowering, by ONNX Runtime, at
 * sizes that the trace did not use: both must give the same. Needs ONNX Runtime's library.
 */
#include "test.h"

#include <math.h>

#include "base/fs.h"
#include "base/rng.h"
#include "base/str.h"
#include "checkpoint/stwriter.h"
#include "onnx/onnx.h"
#include "onnx/target.h"
#include "onnx/rounding.h"
#include "parity/ort.h"
#include "trace/eval.h"
#include "trace/trace.h"

#define WIDTH 12 /* of the axes that are constants */
#define ROWS 7   /* of tables */
#define TAPS 4   /* of convolutions */

static char dir[] = "/tmp/colconv-test-ops-XXXXXX";
static struct checkpoint *ck;

static struct dim
n(int64_t k)
{
	return dim_const(k);
}

static struct ir_value *
floats(struct trace *t, const char *name)
{
	return tr_input(t, name, ELEM_F32,
			shape_of(3, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(WIDTH)));
}

static struct ir_value *
ints(struct trace *t, const char *name)
{
	return tr_input(t, name, ELEM_I64, shape_of(2, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE)));
}

static struct ir_value *
bools(struct trace *t, const char *name)
{
	return tr_less(t, ints(t, name), tr_i64(t, 3));
}

static struct ir_value *
weight(struct trace *t)
{
	return tr_weight(t, shape_of(2, n(ROWS), n(WIDTH)), "w.weight");
}

static struct ir_value *
vector(struct trace *t)
{
	return tr_weight(t, shape_of(1, n(WIDTH)), "v.weight");
}

static struct ir_value *
heads_of(struct trace *t, const char *name, int64_t count, int64_t width)
{
	return tr_input(t, name, ELEM_F32,
			shape_of(4, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(count), n(width)));
}

static struct ir_value *
heads(struct trace *t, const char *name, int64_t count)
{
	return heads_of(t, name, count, 6);
}

/* The same for all rows of the batch. */
static struct ir_value *
rope_table(struct trace *t, const char *name, int64_t pairs)
{
	return tr_input(t, name, ELEM_F32, shape_of(3, dim_symbol(SYM_SEQUENCE), n(1), n(pairs)));
}

/* As positions by row and column need it: each token has its own. */
static struct ir_value *
rope_own(struct trace *t, const char *name, int64_t pairs)
{
	return tr_input(t, name, ELEM_F32,
			shape_of(4, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(1), n(pairs)));
}

#define CASE(name) static struct ir_value *name(struct trace *t)

/* clang-format off */
CASE(linear) { return tr_linear(t, floats(t, "x"), weight(t), NULL); }
CASE(linear_bias) { return tr_linear(t, floats(t, "x"), weight(t), tr_weight(t, shape_of(1, n(ROWS)), "b.weight")); }
CASE(gather) { return tr_gather(t, weight(t), ints(t, "x")); }
CASE(rms_norm) { return tr_rms_norm(t, floats(t, "x"), vector(t), 1e-6); }
/* clang-format on */
CASE(rms_norm_plus_one)
{
	return tr_rms_norm(t, floats(t, "x"), tr_weight_plus_one(t, shape_of(1, n(WIDTH)), "v.weight"), 1e-6);
}
CASE(layer_norm)
{
	return tr_layer_norm(t, floats(t, "x"), vector(t), tr_weight(t, shape_of(1, n(WIDTH)), "u.weight"),
			     1e-6);
}
/* clang-format off */
CASE(layer_norm_plain) { return tr_layer_norm(t, floats(t, "x"), vector(t), NULL, 1e-6); }
/* clang-format on */
CASE(rope)
{
	return tr_rope(t, heads(t, "x", 3), rope_table(t, "c", 3), rope_table(t, "s", 3));
}
CASE(rope_own_positions)
{
	struct ir_value *cosine = rope_own(t, "c", 3), *sine = rope_own(t, "s", 3);

	return tr_rope(t, heads(t, "x", 3), cosine, sine);
}
CASE(rope_partial)
{
	struct ir_value *cosine = rope_own(t, "c", 2), *sine = rope_own(t, "s", 2);

	return tr_rope(t, heads(t, "x", 2), cosine, sine);
}

/*
 * `seen`, numbers [batch, sequence, 1, 1], is 0 where a query sees no key: its result has no meaning, and is not compared.
 * NULL: each query sees some.
 */
static struct ir_value *
attend(struct trace *t, int64_t h, int64_t kv, struct ir_value *mask, enum ir_mask kind,
       struct ir_value *seen)
{
	/* ONNX Runtime's own kernel for causal attention wants a multiple of 8. */
	const int64_t width = kind == IR_MASK_CAUSAL && kv > 1 ? 8 : 6;
	struct ir_value *q = heads_of(t, "q", h, width), *k = heads_of(t, "k", kv, width),
			*v = heads_of(t, "v", kv, width), *x;

	x = tr_attention(t, q, k, v, mask, kind, 0.4);
	return seen ? tr_mul(t, x, seen) : x;
}

/* Bools [batch, sequence] as numbers [batch, sequence, 1, 1]. */
static struct ir_value *
factor(struct trace *t, struct ir_value *flag)
{
	struct ir_value *x = tr_cast(t, flag, ELEM_F32);

	return tr_reshape(t, x, shape_of(4, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(1), n(1)));
}

CASE(attention)
{
	return attend(t, 3, 3, NULL, IR_MASK_FULL, NULL);
}
CASE(attention_grouped)
{
	return attend(t, 6, 2, NULL, IR_MASK_FULL, NULL);
}
static struct ir_value *
causal(struct trace *t, int64_t h, int64_t kv)
{
	struct ir_value *mask = bools(t, "m"), *before;

	before = tr_cast(t, mask, ELEM_I64);
	before = tr_cumsum(t, before, 1);
	before = tr_less(t, tr_i64(t, 0), before);
	return attend(t, h, kv, mask, IR_MASK_CAUSAL, factor(t, before));
}
CASE(attention_causal)
{
	return causal(t, 6, 2);
}
CASE(attention_causal_narrow)
{
	return causal(t, 3, 1);
}
/* 0 for the rows of the batch that have no key at all. */
static struct ir_value *
keys_some(struct trace *t, struct ir_value *mask)
{
	struct ir_value *any = tr_cast(t, mask, ELEM_I64);

	any = tr_sum(t, any, 1);
	any = tr_less(t, tr_i64(t, 0), any);
	any = tr_cast(t, any, ELEM_F32);
	return tr_reshape(t, any, shape_of(4, dim_symbol(SYM_BATCH), n(1), n(1), n(1)));
}
CASE(attention_keys)
{
	struct ir_value *mask = bools(t, "m");

	return attend(t, 3, 3, mask, IR_MASK_FULL, keys_some(t, mask));
}
CASE(attention_keys_grouped)
{
	struct ir_value *mask = bools(t, "m");

	return attend(t, 2, 1, mask, IR_MASK_FULL, keys_some(t, mask));
}
/* A query sees itself and those of its group, as patches see their window. */
CASE(attention_each_query)
{
	struct ir_value *group = ints(t, "m"), *key, *same;

	key = tr_reshape(t, group, shape_of(3, dim_symbol(SYM_BATCH), n(1), dim_symbol(SYM_SEQUENCE)));
	same = tr_reshape(t, group, shape_of(3, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(1)));
	same = tr_equal(t, same, key);
	return attend(t, 4, 2, same, IR_MASK_FULL, NULL);
}
/* The rule with keys of length 1, decay <= 0 and beta in [0, 1]. */
static struct ir_value *
delta(struct trace *t, int64_t groups, int64_t h, int64_t dk, int64_t dv)
{
	const struct shape each = shape_of(3, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(h));
	struct ir_value *q, *k, *v, *decay, *beta;

	q = tr_l2_normalize_eps(t, heads_of(t, "q", groups, dk), 1e-6);
	k = tr_l2_normalize_eps(t, heads_of(t, "k", groups, dk), 1e-6);
	v = heads_of(t, "v", h, dv);
	decay = tr_input(t, "g", ELEM_F32, each);
	decay = tr_sub(t, tr_f32(t, 0), tr_mul(t, decay, decay));
	beta = tr_cos(t, tr_input(t, "b", ELEM_F32, each));
	beta = tr_mul(t, beta, beta);
	return tr_delta_rule(t, q, k, v, decay, beta, 0.4);
}
CASE(delta_rule)
{
	return delta(t, 2, 6, 6, 4);
}
CASE(delta_rule_of_own_keys)
{
	return delta(t, 3, 3, 4, 7);
}
/* clang-format off */
CASE(l2_normalize) { return tr_l2_normalize(t, floats(t, "x")); }
CASE(l2_normalize_eps) { return tr_l2_normalize_eps(t, tr_mul(t, floats(t, "x"), tr_f32(t, 1e-3)), 1e-6); }
CASE(softmax) { return tr_softmax(t, tr_mul(t, floats(t, "x"), tr_f32(t, 50))); }
CASE(causal_conv) { return tr_causal_conv(t, floats(t, "x"), tr_weight(t, shape_of(3, n(WIDTH), n(1), n(TAPS)), "c.weight")); }
CASE(softplus) { return tr_softplus(t, floats(t, "x")); }
CASE(exponent) { return tr_exp(t, floats(t, "x")); }
CASE(silu) { return tr_silu(t, floats(t, "x")); }
CASE(gelu) { return tr_gelu(t, floats(t, "x")); }
CASE(gelu_tanh) { return tr_gelu_tanh(t, floats(t, "x")); }
CASE(quick_gelu) { return tr_quick_gelu(t, floats(t, "x")); }
CASE(sigmoid) { return tr_sigmoid(t, floats(t, "x")); }
CASE(cosine) { return tr_cos(t, floats(t, "x")); }
CASE(sine) { return tr_sin(t, floats(t, "x")); }
CASE(add) { return tr_add(t, floats(t, "x"), vector(t)); }
/* clang-format on */
/* Its small values, a thousand times larger: they must be as exact as the others. */
CASE(softplus_small)
{
	struct ir_value *x = tr_sub(t, floats(t, "x"), tr_f32(t, 8));

	x = tr_softplus(t, x);
	return tr_mul(t, x, tr_f32(t, 1000));
}
CASE(add_rows)
{
	return tr_add(t, tr_input(t, "x", ELEM_F32, shape_of(3, dim_symbol(SYM_BATCH), n(1), n(WIDTH))),
		      tr_input(t, "y", ELEM_F32, shape_of(2, dim_symbol(SYM_SEQUENCE), n(WIDTH))));
}
/* clang-format off */
CASE(sub) { return tr_cast(t, tr_sub(t, ints(t, "x"), ints(t, "y")), ELEM_F32); }
CASE(mul) { return tr_mul(t, floats(t, "x"), floats(t, "y")); }
CASE(divide) { return tr_cast(t, tr_div(t, tr_mul(t, ints(t, "x"), tr_i64(t, 5)), tr_add(t, ints(t, "y"), tr_i64(t, 1))), ELEM_F32); }
CASE(divide_floats) { return tr_div(t, floats(t, "x"), tr_cast(t, tr_add(t, tr_iota(t, n(WIDTH)), tr_i64(t, 1)), ELEM_F32)); }
CASE(mod) { return tr_cast(t, tr_mod(t, tr_mul(t, ints(t, "x"), tr_i64(t, 5)), tr_add(t, ints(t, "y"), tr_i64(t, 1))), ELEM_F32); }
CASE(min) { return tr_cast(t, tr_min(t, ints(t, "x"), ints(t, "y")), ELEM_F32); }
CASE(max) { return tr_cast(t, tr_max(t, ints(t, "x"), tr_i64(t, 3)), ELEM_F32); }
CASE(equal) { return tr_cast(t, tr_equal(t, ints(t, "x"), ints(t, "y")), ELEM_F32); }
CASE(less) { return tr_cast(t, tr_less(t, ints(t, "x"), ints(t, "y")), ELEM_F32); }
CASE(both) { return tr_cast(t, tr_and(t, bools(t, "x"), bools(t, "y")), ELEM_F32); }
CASE(either) { return tr_cast(t, tr_or(t, bools(t, "x"), bools(t, "y")), ELEM_F32); }
CASE(negation) { return tr_cast(t, tr_not(t, bools(t, "x")), ELEM_F32); }
/* clang-format on */
CASE(where)
{
	struct ir_value *c = bools(t, "c");

	return tr_where(t,
			tr_reshape(t, c, shape_of(3, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(1))),
			floats(t, "x"), floats(t, "y"));
}
/* clang-format off */
CASE(where_scalar) { return tr_cast(t, tr_where(t, bools(t, "c"), tr_i64(t, 9), ints(t, "x")), ELEM_F32); }
CASE(cast) { return tr_cast(t, tr_cast(t, ints(t, "x"), ELEM_BOOL), ELEM_F32); }
/* clang-format on */
CASE(reshape_split)
{
	return tr_reshape(t, floats(t, "x"),
			  shape_of(4, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(3), n(4)));
}
CASE(reshape_flat)
{
	return tr_reshape(t, floats(t, "x"),
			  shape_of(2, dim_mul(dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE)), n(WIDTH)));
}
CASE(reshape_back) /* two symbols that come out of one: the shape has to be computed */
{
	struct ir_value *flat = reshape_flat(t);

	return tr_reshape(t, tr_silu(t, flat),
			  shape_of(3, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(WIDTH)));
}
CASE(reshape_groups)
{
	return tr_reshape(
		t, floats(t, "x"),
		shape_of(3, dim_symbol(SYM_BATCH), dim_mul(dim_symbol(SYM_SEQUENCE), n(2)), n(WIDTH / 2)));
}
/* clang-format off */
CASE(transpose) { return tr_transpose(t, floats(t, "x"), (const int[]){2, 0, 1}); }
CASE(concat) { return tr_concat(t, 2, 3, floats(t, "x"), floats(t, "y"), tr_slice(t, floats(t, "z"), 2, 1, 4)); }
CASE(slice) { return tr_slice(t, floats(t, "x"), 2, 5, 11); }
/* clang-format on */
CASE(size)
{
	return tr_cast(
		t,
		tr_add(t, ints(t, "x"), tr_size(t, dim_mul(dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE)))),
		ELEM_F32);
}
/* clang-format off */
CASE(iota) { return tr_cast(t, tr_add(t, ints(t, "x"), tr_iota(t, dim_symbol(SYM_SEQUENCE))), ELEM_F32); }
CASE(cumsum) { return tr_cast(t, tr_cumsum(t, ints(t, "x"), 1), ELEM_F32); }
CASE(sum) { return tr_cast(t, tr_sum(t, ints(t, "x"), 0), ELEM_F32); }
CASE(sum_last) { return tr_cast(t, tr_sum(t, ints(t, "x"), 1), ELEM_F32); }
CASE(sum_floats) { return tr_sum(t, floats(t, "x"), 1); }
CASE(shift) { return tr_cast(t, tr_shift(t, ints(t, "x"), 1), ELEM_F32); }
CASE(shift_bools) { return tr_cast(t, tr_shift(t, bools(t, "x"), 1), ELEM_F32); }
CASE(any) { return tr_add(t, tr_cast(t, tr_any(t, bools(t, "x")), ELEM_F32), floats(t, "y")); }
/* clang-format on */

/* With whole numbers 0..ROWS-1: `bound` 0 finds nothing wrong, ROWS all. */
static struct ir_value *
checked(struct trace *t, int64_t bound)
{
	struct ir_value *wrong = tr_less(t, ints(t, "c"), tr_i64(t, bound));

	return tr_name(t, tr_check(t, tr_silu(t, floats(t, "x")), wrong), "small_numbers_only");
}
/* clang-format off */
CASE(check) { return tr_add(t, checked(t, 0), vector(t)); }
CASE(check_fails) { return tr_add(t, checked(t, ROWS), vector(t)); }
/* clang-format on */

static struct ir_value *
branch_silu(struct trace *t, const void *x)
{
	return tr_silu(t, (struct ir_value *)(uintptr_t)x);
}

static struct ir_value *
branch_same(struct trace *t, const void *x)
{
	(void)t;
	return (struct ir_value *)(uintptr_t)x;
}

static struct ir_value *
choose(struct trace *t, int64_t bound)
{
	struct ir_value *cond = tr_any(t, tr_less(t, ints(t, "c"), tr_i64(t, bound))), *x = floats(t, "x");

	return tr_add(t, tr_if(t, cond, branch_silu, branch_same, x), vector(t));
}
/* clang-format off */
CASE(if_taken) { return choose(t, 100); }
CASE(if_not_taken) { return choose(t, 0); }
/* clang-format on */

static const struct {
	enum ir_op op;
	struct ir_value *(*make)(struct trace *t);
} cases[] = {
	{OP_LINEAR, linear},
	{OP_LINEAR, linear_bias},
	{OP_GATHER, gather},
	{OP_RMS_NORM, rms_norm},
	{OP_RMS_NORM, rms_norm_plus_one},
	{OP_LAYER_NORM, layer_norm},
	{OP_LAYER_NORM, layer_norm_plain},
	{OP_ROPE, rope},
	{OP_ROPE, rope_own_positions},
	{OP_ROPE, rope_partial},
	{OP_ATTENTION, attention},
	{OP_ATTENTION, attention_grouped},
	{OP_ATTENTION, attention_causal},
	{OP_ATTENTION, attention_causal_narrow},
	{OP_ATTENTION, attention_keys},
	{OP_ATTENTION, attention_keys_grouped},
	{OP_ATTENTION, attention_each_query},
	{OP_L2_NORMALIZE, l2_normalize},
	{OP_L2_NORMALIZE, l2_normalize_eps},
	{OP_SOFTMAX, softmax},
	{OP_CAUSAL_CONV, causal_conv},
	{OP_DELTA_RULE, delta_rule},
	{OP_DELTA_RULE, delta_rule_of_own_keys},
	{OP_SILU, silu},
	{OP_GELU, gelu},
	{OP_GELU_TANH, gelu_tanh},
	{OP_QUICK_GELU, quick_gelu},
	{OP_SIGMOID, sigmoid},
	{OP_SOFTPLUS, softplus},
	{OP_SOFTPLUS, softplus_small},
	{OP_EXP, exponent},
	{OP_COS, cosine},
	{OP_SIN, sine},
	{OP_ADD, add},
	{OP_ADD, add_rows},
	{OP_SUB, sub},
	{OP_MUL, mul},
	{OP_DIV, divide},
	{OP_DIV, divide_floats},
	{OP_MOD, mod},
	{OP_MIN, min},
	{OP_MAX, max},
	{OP_EQUAL, equal},
	{OP_LESS, less},
	{OP_AND, both},
	{OP_OR, either},
	{OP_NOT, negation},
	{OP_WHERE, where},
	{OP_WHERE, where_scalar},
	{OP_CAST, cast},
	{OP_RESHAPE, reshape_split},
	{OP_RESHAPE, reshape_flat},
	{OP_RESHAPE, reshape_back},
	{OP_RESHAPE, reshape_groups},
	{OP_TRANSPOSE, transpose},
	{OP_CONCAT, concat},
	{OP_SLICE, slice},
	{OP_SIZE, size},
	{OP_IOTA, iota},
	{OP_CUMSUM, cumsum},
	{OP_SUM, sum},
	{OP_SUM, sum_last},
	{OP_SUM, sum_floats},
	{OP_SHIFT, shift},
	{OP_SHIFT, shift_bools},
	{OP_ANY, any},
	{OP_CHECK, check},
	{OP_IF, if_taken},
	{OP_IF, if_not_taken},
};

static struct sizes
sizes_of(int64_t batch, int64_t sequence)
{
	struct sizes s = {{0}};

	s.of[SYM_BATCH] = batch;
	s.of[SYM_SEQUENCE] = sequence;
	return s;
}

static int64_t
count_of(const struct ir_value *v, const struct sizes *s)
{
	return dim_eval(shape_count(&v->shape), s);
}

/* Normal numbers, or whole numbers 0..ROWS-1. */
static void *
random_input(const struct ir_value *v, const struct sizes *s, struct rng *rng)
{
	int64_t i, count = count_of(v, s);
	void *data = malloc((size_t)count * elem_size(v->elem));

	assert_non_null(data);
	for (i = 0; i < count; i++)
		if (v->elem == ELEM_F32)
			((float *)data)[i] = rng_normal(rng);
		else
			((int64_t *)data)[i] = (int64_t)rng_below(rng, ROWS);
	return data;
}

static struct ort_tensor
ort_input_make(const struct ir_value *v, const struct sizes *s, void *data)
{
	struct ort_tensor x = {
		.type = v->elem == ELEM_F32 ? ELEM_F32 : ELEM_I64, .rank = v->shape.rank, .data = data};
	int i;

	for (i = 0; i < v->shape.rank; i++)
		x.shape[i] = dim_eval(v->shape.dim[i], s);
	x.len = (size_t)count_of(v, s) * elem_size(v->elem);
	return x;
}

/* What a graph may be written as, and how near that must come. */
static const struct form {
	const char *name;
	struct onnx_options options;
	float limit;
	bool rounded; /* every weight that may be is stored in 8 bits */
} forms[] = {
	{"fp32", {.half = false}, 1e-5f, false},
	{"fp16", {.half = true}, 1e-2f, false},
	{"bf16", {.store = STORE_BF16}, 3e-2f, false},
	{"embedded", {.embed = true}, 1e-5f, false},
	{"int8", {.half = false}, 1e-1f, true},
	{"int8-embedded", {.embed = true}, 1e-1f, true},
	{"ort", {.target = &target_ort}, 1e-5f},
	{"ort fp16", {.target = &target_ort, .half = true}, 1e-2f},
};

static bool
any_weight(const char *name)
{
	(void)name;
	return true;
}

static void
compare(const char *op, const float *a, const float *b, int64_t count, const struct form *f)
{
	int64_t i;

	for (i = 0; i < count; i++)
		if (!(fabsf(a[i] - b[i]) <= f->limit * (1 + fabsf(a[i]))))
			fail_msg("%s, %s: element %lld is %.9g in libtorch and %.9g in ONNX Runtime", op,
				 f->name, (long long)i, (double)a[i], (double)b[i]);
}

/* Random inputs, in the order of the session's, which libtorch gets too. */
static size_t
inputs_make(const struct ir_graph *g, const struct ort_session *s, const struct sizes *sizes, struct rng *rng,
	    struct eval *ev, struct ort_tensor in[IR_IN_MAX])
{
	struct err e = ERR_INIT;
	size_t i, k, n_in = ort_input_count(s);

	for (i = 0; i < n_in; i++)
		for (k = 0; k < g->n_value; k++)
			if (g->value[k]->kind == IR_INPUT &&
			    str_eq(g->value[k]->name, ort_input_get(s, i)->name)) {
				in[i] = ort_input_make(g->value[k], sizes,
						       random_input(g->value[k], sizes, rng));
				(void)eval_feed(ev, g->value[k], in[i].data, &e);
			}
	assert_no_error(&e);
	return n_in;
}

static void
inputs_free(struct ort_tensor in[IR_IN_MAX], size_t n_in)
{
	size_t i;

	for (i = 0; i < n_in; i++)
		free(in[i].data);
}

static void
graph_compare(const char *op, const struct ir_graph *g, struct ort_session *s, const struct sizes *sizes,
	      struct rng *rng, const struct form *f)
{
	_cleanup_(eval_free) struct eval *ev = NULL;
	_cleanup_(ort_tensor_release) struct ort_tensor got = {0};
	struct ort_tensor in[IR_IN_MAX];
	struct err e = ERR_INIT;
	float *want;
	size_t n_in, len = (size_t)count_of(g->output, sizes) * sizeof(*want);

	(void)eval_new(g, TT_CPU, sizes, &ev, &e);
	n_in = inputs_make(g, s, sizes, rng, ev, in);
	(void)eval_run(ev, &e);
	assert_no_error(&e);
	want = malloc(len);
	assert_int_equal(eval_read(ev, g->output, want, len, &e), 0);
	(void)ort_run(s, in, &got, &e);
	assert_no_error(&e);
	assert_int_equal(got.len, len);
	compare(op, want, got.data, (int64_t)(len / sizeof(*want)), f);
	free(want);
	inputs_free(in, n_in);
}

/* The graph of a case, and the session that runs it in one of its forms. */
static void
case_open(struct ir_value *(*make)(struct trace *t), const char *op, const struct form *f,
	  struct ir_graph **ret_g, struct ort_session **ret_s)
{
	const struct sizes traced = sizes_of(2, 3);
	_cleanup_(trace_free) struct trace *t = NULL;
	_cleanup_(onnx_export_free) struct onnx_export *job = NULL;
	_cleanup_free_ char *file = str_printf("%s/%s.onnx", dir, op);
	_cleanup_(rounding_free) struct rounding *rounding = NULL;
	struct onnx_options options = f->options;
	struct err e = ERR_INIT;

	(void)trace_new(op, ck, &traced, &t, &e);
	(void)trace_finish(t, make(t), "embeddings", ret_g, &e);
	assert_no_error(&e);
	if (f->rounded) {
		(void)rounding_new(any_weight, &rounding, &e);
		(void)rounding_add_graph(rounding, *ret_g, &e);
		(void)rounding_fit(rounding, NULL, NULL, &e);
		assert_no_error(&e);
		options.rounding = rounding;
	}
	(void)onnx_export_new(dir, &options, &job, &e);
	(void)onnx_export_add(job, *ret_g, fs_basename(file), &e);
	assert_no_error(&e);
	(void)onnx_export_write(job, NULL, NULL, &e);
	assert_no_error(&e);
	(void)ort_session_new(file, 1, ret_s, &e);
	assert_no_error(&e);
}

static const int64_t run_sizes[][2] = {{1, 1}, {1, 5}, {3, 7}, {2, 11}, {5, 2}, {2, 67}};

static void
case_run(size_t c, const struct form *f)
{
	const char *op = ir_op_info(cases[c].op)->name;
	_cleanup_(graph_free) struct ir_graph *g = NULL;
	_cleanup_(ort_session_free) struct ort_session *s = NULL;
	struct rng rng = {c};
	size_t i;

	case_open(cases[c].make, op, f, &g, &s);
	for (i = 0; i < ARRAY_LEN(run_sizes); i++) {
		const struct sizes run = sizes_of(run_sizes[i][0], run_sizes[i][1]);

		graph_compare(op, g, s, &run, &rng, f);
	}
}

/* Both runtimes refuse, at every size and in every form, and name the check. */
static void
check_fails_run(const struct form *f, int64_t batch, int64_t sequence)
{
	const struct sizes sizes = sizes_of(batch, sequence);
	_cleanup_(graph_free) struct ir_graph *g = NULL;
	_cleanup_(ort_session_free) struct ort_session *s = NULL;
	_cleanup_(ort_tensor_release) struct ort_tensor got = {0};
	_cleanup_(eval_free) struct eval *ev = NULL;
	struct err e = ERR_INIT, e_ort = ERR_INIT;
	struct ort_tensor in[IR_IN_MAX];
	struct rng rng = {7};
	size_t n_in;

	case_open(check_fails, "check", f, &g, &s);
	(void)eval_new(g, TT_CPU, &sizes, &ev, &e);
	n_in = inputs_make(g, s, &sizes, &rng, ev, in);
	assert_int_equal(eval_run(ev, &e), E_TRACE);
	assert_error(&e, E_TRACE, "small_numbers_only");
	assert_int_equal(ort_run(s, in, &got, &e_ort), E_BAD_ONNX);
	assert_error(&e_ort, E_BAD_ONNX, "small_numbers_only");
	inputs_free(in, n_in);
}

TEST(test_check_fails)
{
	size_t i, k;

	if (!ck)
		skip();
	for (i = 0; i < ARRAY_LEN(forms); i++)
		for (k = 0; k < ARRAY_LEN(run_sizes); k++)
			check_fails_run(&forms[i], run_sizes[k][0], run_sizes[k][1]);
}

static void
test_ops(void **state)
{
	bool seen[OP_COUNT] = {false};
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		for (k = 0; k < ARRAY_LEN(forms); k++)
			case_run(i, &forms[k]);
		seen[cases[i].op] = true;
	}
	for (i = 0; i < OP_COUNT; i++)
		if (!seen[i])
			fail_msg("the op '%s' has no case in this test", ir_op_info((enum ir_op)i)->name);
}

/* Attention of so many tokens that both runtimes cut the queries into blocks, the last of which is not full. */
static void
blocks_run(size_t c, const struct form *f)
{
	/* Causal attention of target_ort is in blocks from 32 Mi scores on. */
	const struct sizes sizes = sizes_of(1, cases[c].make == attention_causal ? 2403 : 1607);
	_cleanup_(graph_free) struct ir_graph *g = NULL;
	_cleanup_(ort_session_free) struct ort_session *s = NULL;
	struct rng rng = {c};

	case_open(cases[c].make, "attention", f, &g, &s);
	graph_compare("attention", g, s, &sizes, &rng, f);
}

TEST(test_attention_blocks)
{
	size_t i, k;

	if (!ck)
		skip();
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (k = 0; k < ARRAY_LEN(forms); k++)
			if (cases[i].op == OP_ATTENTION && !forms[k].options.half &&
			    !forms[k].options.store && !forms[k].options.embed && !forms[k].rounded)
				blocks_run(i, &forms[k]);
}

/* A checkpoint with a matrix, three vectors and the taps of a convolution. */
static int
setup(void **state)
{
	static const struct {
		const char *name;
		int rank;
		int64_t shape[3];
	} weights[] = {
		{"w.weight", 2, {ROWS, WIDTH}}, {"v.weight", 1, {WIDTH}},          {"u.weight", 1, {WIDTH}},
		{"b.weight", 1, {ROWS}},        {"c.weight", 3, {WIDTH, 1, TAPS}},
	};
	_cleanup_(stw_free) struct stw *w = NULL;
	struct err e = ERR_INIT;
	struct rng rng = {1};
	char path[128];
	float x;
	size_t i;
	int64_t k;

	(void)state;
	if (ort_open(NULL, &e) < 0) {
		print_message("skipped: %s\n", e.msg);
		return 0;
	}
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/config.json", dir);
	(void)fs_write_file(path, "{}", 2, &e);
	(void)snprintf(path, sizeof(path), "%s/model.safetensors", dir);
	(void)stw_new(path, &w, &e);
	for (i = 0; i < ARRAY_LEN(weights); i++)
		(void)stw_add(w, weights[i].name, ELEM_F32, weights[i].rank, weights[i].shape, &e);
	(void)stw_begin(w, &e);
	for (i = 0; i < ARRAY_LEN(weights); i++)
		for (k = 0;
		     k < weights[i].shape[0] * MAX(weights[i].shape[1], 1) * MAX(weights[i].shape[2], 1);
		     k++) {
			x = rng_normal(&rng);
			(void)stw_data(w, &x, sizeof(x), &e);
		}
	(void)stw_finish(w, &e);
	(void)checkpoint_open(dir, NULL, &ck, &e);
	assert_no_error(&e);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	checkpoint_free(&ck);
	ort_close();
	return fs_remove(dir, NULL);
}

/* A type without a row in libtorch is an error that names it, on each device. */
TEST(test_unknown_element)
{
	const struct tt_shape shape = {.rank = 1, .dim = {2}};
	const unsigned char bytes[16] = {0};
	struct tt *t = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(tt_over(ELEM_F8_E4M3, &shape, bytes, TT_CPU, &t, &e), E_TRACE);
	assert_error(&e, E_TRACE, "F8_E4M3");
	assert_int_equal(tt_over(ELEM_U16, &shape, NULL, TT_META, &t, NULL), E_TRACE);
	assert_null(t);
	assert_int_equal(tt_over(ELEM_I32, &shape, bytes, TT_CPU, &t, NULL), 0);
	tt_free(&t);
}

TEST(test_ops_or_skip)
{
	if (!ck)
		skip();
	test_ops(state);
}

int
main(void)
{
	return tests_run("ops", setup, teardown);
}
