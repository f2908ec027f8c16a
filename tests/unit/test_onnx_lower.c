/*
 * Every op of graph/ops.def as a graph of its own, with sizes 1, odd and prime: the ONNX nodes it
 * becomes, and that the file is sound. That the numbers are right is the business of the op tests,
 * which run both sides.
 */
#include "test.h"

#include "base/fs.h"
#include "base/str.h"
#include "onnx/emit.h"
#include "onnx/release.h"
#include "onnx/target.h"
#include "proto/onnx.pb-c.h"

#define BATCH dim_symbol(SYM_BATCH)
#define SEQUENCE dim_symbol(SYM_SEQUENCE)
#define IMAGES dim_symbol(SYM_IMAGES)
#define PATCHES dim_symbol(SYM_PATCHES)

/* A graph in the making, and the file it becomes. */
struct made {
	struct ir_graph *g;
	int64_t size; /* of the axes that are constants */
	int n_value;
	struct emit_job job;
	Onnx__ModelProto *model;
	struct err e;
};

static struct ir_value *
value_add(struct made *m, enum ir_kind kind, enum elem elem, struct shape s)
{
	struct ir_value *v;
	char name[32];

	(void)snprintf(name, sizeof(name), "v%d", m->n_value++);
	v = graph_value_add(m->g, kind, elem, &s, name);
	assert_non_null(v);
	return v;
}

static struct ir_value *
input(struct made *m, enum elem elem, struct shape s)
{
	return value_add(m, IR_INPUT, elem, s);
}

static struct ir_value *
node_to(struct made *m, struct ir_block *b, enum ir_op op, const struct ir_attr *attr, int n_in,
	struct ir_value *const *in)
{
	struct ir_node *n = graph_node_add(m->g, b, op, in, n_in, attr);
	enum elem elem = ELEM_F32;
	struct shape shape;

	assert_non_null(n);
	(void)infer_node(n, &elem, &shape, &m->e);
	assert_no_error(&m->e);
	n->out = value_add(m, IR_RESULT, elem, shape);
	n->out->node = n;
	return n->out;
}

#define node(m, op, attr, ...)                                \
	node_to(m, &(m)->g->block, op, &(struct ir_attr)attr, \
		ARRAY_LEN(((struct ir_value *[]){__VA_ARGS__})), (struct ir_value *[]){__VA_ARGS__})
#define ATTR(...)           \
	{                   \
		__VA_ARGS__ \
	}
#define NONE           \
	{              \
		.f = 0 \
	}

static void
made_new(struct made *m, int64_t size)
{
	*m = (struct made){.size = size};
	assert_int_equal(graph_new("test", &m->g, &m->e), 0);
}

/* Lowers the graph and reads the file back. */
static int
made_lower_with(struct made *m, const struct onnx_options *options, struct extdata *data)
{
	static const char *const meta[] = {"architecture", "test", NULL};
	int r;

	m->job = (struct emit_job){.graph = m->g, .options = options, .data = data, .meta = meta};
	r = emit_graph(&m->job, &m->e);
	if (r < 0)
		return r;
	m->model = onnx__model_proto__unpack(NULL, m->job.packed.len, (const uint8_t *)m->job.packed.data);
	assert_non_null(m->model);
	return 0;
}

static int
made_lower(struct made *m, struct extdata *data)
{
	static const struct onnx_options options;

	return made_lower_with(m, &options, data);
}

static void
made_release(struct made *m)
{
	onnx__model_proto__free_unpacked(m->model, NULL);
	buf_release(&m->job.packed);
	tally_release(&m->job.tally);
	graph_free(&m->g);
}

/* ---- what must hold of every file ---- */

#define NAMES_MAX 256

struct names {
	const char *name[NAMES_MAX];
	bool used[NAMES_MAX];
	int n;
};

static int
names_find(const struct names *s, const char *name)
{
	int i;

	for (i = s->n - 1; i >= 0 && !str_eq(s->name[i], name); i--)
		;
	return i;
}

static void
names_add(struct names *s, const char *name)
{
	if (names_find(s, name) >= 0)
		fail_msg("'%s' is made twice", name);
	assert_true(s->n < NAMES_MAX);
	s->used[s->n] = false;
	s->name[s->n++] = name;
}

static void
names_use(struct names *s, const char *name)
{
	int i = names_find(s, name);

	if (i < 0)
		fail_msg("'%s' is used before it is made", name);
	s->used[i] = true;
}

static void graph_sound(const Onnx__GraphProto *g, struct names *seen);

/* A branch, or a body with inputs of its own. */
static void
body_sound(const Onnx__GraphProto *g, struct names *seen)
{
	size_t i;

	for (i = 0; i < g->n_input; i++)
		names_add(seen, g->input[i]->name);
	graph_sound(g, seen);
}

static void
graph_sound(const Onnx__GraphProto *g, struct names *seen)
{
	const Onnx__NodeProto *n;
	size_t i, k;

	for (i = 0; i < g->n_node; i++) {
		n = g->node[i];
		for (k = 0; k < n->n_input; k++)
			names_use(seen, n->input[k]);
		for (k = 0; k < n->n_attribute; k++)
			if (n->attribute[k]->g)
				body_sound(n->attribute[k]->g, seen);
		for (k = 0; k < n->n_output; k++) {
			names_add(seen, n->output[k]);
			if (str_eq(n->op_type, "Loop")) /* the last state is an output, needed or not */
				seen->used[seen->n - 1] = k + 1 < n->n_output;
		}
	}
	assert_true(g->n_output > 0);
	for (i = 0; i < g->n_output; i++)
		names_use(seen, g->output[i]->name);
}

static void
model_sound(const Onnx__ModelProto *m)
{
	struct names seen = {.n = 0};
	size_t i;
	int k;

	assert_int_equal(m->ir_version, 8);
	assert_int_equal(m->n_opset_import, 1);
	assert_int_equal(m->opset_import[0]->version, 17);
	for (i = 0; i < m->graph->n_input; i++) {
		names_add(&seen, m->graph->input[i]->name);
		seen.used[seen.n - 1] = true;
	}
	for (i = 0; i < m->graph->n_initializer; i++)
		names_add(&seen, m->graph->initializer[i]->name);
	graph_sound(m->graph, &seen);
	for (k = 0; k < seen.n; k++)
		if (!seen.used[k])
			fail_msg("'%s' is made and never used", seen.name[k]);
}

/* ---- one graph per op ---- */

static struct dim
size(const struct made *m)
{
	return dim_const(m->size);
}

static struct ir_value *
input3(struct made *m, enum elem elem)
{
	return input(m, elem, shape_of(3, BATCH, SEQUENCE, size(m)));
}

static struct ir_value *
vector(struct made *m)
{
	return input(m, ELEM_F32, shape_of(1, size(m)));
}

static struct ir_value *
build_linear(struct made *m)
{
	struct ir_value *w = input(m, ELEM_F32, shape_of(2, dim_const(2), size(m)));

	return node(m, OP_LINEAR, NONE, input3(m, ELEM_F32), w);
}

static struct ir_value *
build_linear_bias(struct made *m)
{
	struct ir_value *w = input(m, ELEM_F32, shape_of(2, dim_const(2), size(m)));

	return node(m, OP_LINEAR, NONE, input3(m, ELEM_F32), w,
		    input(m, ELEM_F32, shape_of(1, dim_const(2))));
}

static struct ir_value *
build_gather(struct made *m)
{
	struct ir_value *ids = input(m, ELEM_I64, shape_of(2, BATCH, SEQUENCE));

	return node(m, OP_GATHER, NONE, input(m, ELEM_F32, shape_of(2, dim_const(5), size(m))), ids);
}

static struct ir_value *
build_rms_norm(struct made *m)
{
	return node(m, OP_RMS_NORM, ATTR(.f = 1e-6), input3(m, ELEM_F32), vector(m));
}

static struct ir_value *
build_layer_norm(struct made *m)
{
	return node(m, OP_LAYER_NORM, ATTR(.f = 1e-6), input3(m, ELEM_F32), vector(m), vector(m));
}

static struct ir_value *
build_rope(struct made *m)
{
	struct dim d = dim_mul(size(m), dim_const(2));
	struct ir_value *x = input(m, ELEM_F32, shape_of(4, BATCH, SEQUENCE, dim_const(3), d));
	struct ir_value *angle = input(m, ELEM_F32, shape_of(4, BATCH, SEQUENCE, dim_const(1), size(m)));

	return node(m, OP_ROPE, NONE, x, node(m, OP_COS, NONE, angle), node(m, OP_SIN, NONE, angle));
}

static struct ir_value *
heads(struct made *m, int64_t n)
{
	return input(m, ELEM_F32, shape_of(4, BATCH, SEQUENCE, dim_const(n), size(m)));
}

static struct ir_value *
mask_input(struct made *m)
{
	return input(m, ELEM_BOOL, shape_of(2, BATCH, SEQUENCE));
}

static struct ir_value *
build_attention(struct made *m)
{
	return node(m, OP_ATTENTION, ATTR(.f = 0.5), heads(m, 3), heads(m, 3), heads(m, 3));
}

static struct ir_value *
build_attention_grouped(struct made *m)
{
	return node(m, OP_ATTENTION, ATTR(.f = 0.5), heads(m, 6), heads(m, 2), heads(m, 2));
}

static struct ir_value *
build_attention_masked(struct made *m)
{
	return node(m, OP_ATTENTION, ATTR(.f = 0.5, .i = IR_MASK_CAUSAL), heads(m, 6), heads(m, 2),
		    heads(m, 2), mask_input(m));
}

static struct ir_value *
build_attention_keys(struct made *m)
{
	return node(m, OP_ATTENTION, ATTR(.f = 0.5), heads(m, 3), heads(m, 3), heads(m, 3), mask_input(m));
}

static struct ir_value *
build_attention_each(struct made *m)
{
	struct ir_value *mask = input(m, ELEM_BOOL, shape_of(3, BATCH, SEQUENCE, SEQUENCE));

	return node(m, OP_ATTENTION, ATTR(.f = 0.5), heads(m, 3), heads(m, 3), heads(m, 3), mask);
}

static struct ir_value *
build_rope_partial(struct made *m)
{
	struct ir_value *x = input(m, ELEM_F32, shape_of(4, BATCH, SEQUENCE, dim_const(3), dim_const(6)));
	struct ir_value *angle = input(m, ELEM_F32, shape_of(3, SEQUENCE, dim_const(1), dim_const(2)));

	return node(m, OP_ROPE, NONE, x, node(m, OP_COS, NONE, angle), node(m, OP_SIN, NONE, angle));
}

#define BUILD_F32_UNARY(name, op)                              \
	static struct ir_value *build_##name(struct made *m)   \
	{                                                      \
		return node(m, op, NONE, input3(m, ELEM_F32)); \
	}

static struct ir_value *
build_l2_normalize_eps(struct made *m)
{
	return node(m, OP_L2_NORMALIZE, ATTR(.f = 1e-6), input3(m, ELEM_F32));
}

static struct ir_value *
build_causal_conv(struct made *m)
{
	struct ir_value *w = input(m, ELEM_F32, shape_of(3, size(m), dim_const(1), dim_const(4)));

	return node(m, OP_CAUSAL_CONV, NONE, input3(m, ELEM_F32), w);
}

static struct ir_value *
build_delta_rule(struct made *m)
{
	const struct shape each = shape_of(3, BATCH, SEQUENCE, dim_const(6));
	struct ir_value *q = heads(m, 2), *k = heads(m, 2), *v = heads(m, 6);
	struct ir_value *decay = input(m, ELEM_F32, each), *beta = input(m, ELEM_F32, each);

	return node(m, OP_DELTA_RULE, ATTR(.f = 0.5), q, k, v, decay, beta);
}

BUILD_F32_UNARY(l2_normalize, OP_L2_NORMALIZE)
BUILD_F32_UNARY(softmax, OP_SOFTMAX)
BUILD_F32_UNARY(silu, OP_SILU)
BUILD_F32_UNARY(gelu, OP_GELU)
BUILD_F32_UNARY(gelu_tanh, OP_GELU_TANH)
BUILD_F32_UNARY(quick_gelu, OP_QUICK_GELU)
BUILD_F32_UNARY(sigmoid, OP_SIGMOID)
BUILD_F32_UNARY(softplus, OP_SOFTPLUS)
BUILD_F32_UNARY(exp, OP_EXP)
BUILD_F32_UNARY(cos, OP_COS)
BUILD_F32_UNARY(sin, OP_SIN)

#define BUILD_BINARY(name, op, elem)                                                        \
	static struct ir_value *build_##name(struct made *m)                                \
	{                                                                                   \
		struct ir_value *row = input(m, elem, shape_of(2, SEQUENCE, dim_const(1))); \
                                                                                            \
		return node(m, op, NONE, input3(m, elem), row);                             \
	}

BUILD_BINARY(add, OP_ADD, ELEM_F32)
BUILD_BINARY(sub, OP_SUB, ELEM_I64)
BUILD_BINARY(mul, OP_MUL, ELEM_F32)
BUILD_BINARY(div, OP_DIV, ELEM_I64)
BUILD_BINARY(mod, OP_MOD, ELEM_I64)
BUILD_BINARY(min, OP_MIN, ELEM_I64)
BUILD_BINARY(max, OP_MAX, ELEM_I64)
BUILD_BINARY(equal, OP_EQUAL, ELEM_I64)
BUILD_BINARY(less, OP_LESS, ELEM_I64)
BUILD_BINARY(and, OP_AND, ELEM_BOOL)
BUILD_BINARY(or, OP_OR, ELEM_BOOL)

static struct ir_value *
build_not(struct made *m)
{
	return node(m, OP_NOT, NONE, input3(m, ELEM_BOOL));
}

static struct ir_value *
build_where(struct made *m)
{
	return node(m, OP_WHERE, NONE, input3(m, ELEM_BOOL), input3(m, ELEM_F32), vector(m));
}

static struct ir_value *
build_cast(struct made *m)
{
	return node(m, OP_CAST, ATTR(.elem = ELEM_F32), input3(m, ELEM_BOOL));
}

static struct ir_value *
build_reshape(struct made *m)
{
	struct shape s = shape_of(2, dim_mul(BATCH, SEQUENCE), size(m));

	return node(m, OP_RESHAPE, ATTR(.shape = s), input3(m, ELEM_F32));
}

static struct ir_value *
build_transpose(struct made *m)
{
	return node(m, OP_TRANSPOSE, ATTR(.perm = {1, 2, 0}), input3(m, ELEM_F32));
}

static struct ir_value *
build_concat(struct made *m)
{
	struct ir_value *x = input3(m, ELEM_F32);

	return node(m, OP_CONCAT, ATTR(.axis = 2), x, input3(m, ELEM_F32), x);
}

static struct ir_value *
build_slice(struct made *m)
{
	return node(m, OP_SLICE, ATTR(.axis = 2, .begin = m->size / 2, .end = m->size), input3(m, ELEM_F32));
}

static struct ir_value *
build_size(struct made *m)
{
	struct shape s = shape_of(1, SEQUENCE);

	(void)mask_input(m);
	return node_to(m, &m->g->block, OP_SIZE, &(struct ir_attr){.shape = s}, 0, NULL);
}

static struct ir_value *
build_iota(struct made *m)
{
	struct shape s = shape_of(1, SEQUENCE);

	(void)mask_input(m);
	return node_to(m, &m->g->block, OP_IOTA, &(struct ir_attr){.shape = s}, 0, NULL);
}

static struct ir_value *
build_cumsum(struct made *m)
{
	return node(m, OP_CUMSUM, ATTR(.axis = 1), input3(m, ELEM_I64));
}

static struct ir_value *
build_sum(struct made *m)
{
	return node(m, OP_SUM, ATTR(.axis = 1), input3(m, ELEM_I64));
}

static struct ir_value *
build_shift(struct made *m)
{
	return node(m, OP_SHIFT, ATTR(.axis = 2), input3(m, ELEM_I64));
}

static struct ir_value *
build_shift_bool(struct made *m)
{
	return node(m, OP_SHIFT, ATTR(.axis = 2), input3(m, ELEM_BOOL));
}

static struct ir_value *
build_any(struct made *m)
{
	return node(m, OP_ANY, NONE, input3(m, ELEM_BOOL));
}

static struct ir_value *
build_check(struct made *m)
{
	return node(m, OP_CHECK, NONE, input3(m, ELEM_F32), mask_input(m));
}

/* The other branch passes on a value from outside. */
static struct ir_value *
build_if(struct made *m)
{
	struct ir_value *x = input3(m, ELEM_F32), *scale = vector(m);
	struct ir_value *condition = node(m, OP_ANY, NONE, mask_input(m));
	struct ir_attr attr = {.then_block = graph_block_add(m->g), .else_block = graph_block_add(m->g)};

	attr.then_block->result =
		node_to(m, attr.then_block, OP_MUL, NULL, 2, (struct ir_value *[]){x, scale});
	attr.else_block->result = x;
	return node_to(m, &m->g->block, OP_IF, &attr, 1, &condition);
}

/* The block that each query belongs to, and the way back from the blocks. */
#define BLOCKS_OF "Max Sub Add Div Squeeze Range Unsqueeze Mul Squeeze Range Add Sub Min "
#define BLOCKS "Mul Max Div Max Sub Add Div " BLOCKS_OF
#define JOINED "Size Unsqueeze Concat "

/* Of the delta rule: the pairs of tokens, an input, and the inverse of blocks twice as large. */
#define MASKS "Slice Slice Slice Slice Slice Slice Slice Slice "
#define BY_GROUP "Reshape Transpose "
#define JOIN "Mul MatMul MatMul Sub "

static const struct row {
	enum ir_op op;
	const char *name;
	struct ir_value *(*build)(struct made *m);
	const char *types; /* of the ONNX nodes, in order */
} rows[] = {
	{OP_LINEAR, "linear", build_linear, "Transpose MatMul"},
	{OP_LINEAR, "linear_bias", build_linear_bias, "Transpose MatMul Add"},
	{OP_GATHER, "gather", build_gather, "Gather"},
	{OP_RMS_NORM, "rms_norm", build_rms_norm, "Pow ReduceMean Add Sqrt Div Mul"},
	{OP_LAYER_NORM, "layer_norm", build_layer_norm, "LayerNormalization"},
	{OP_ROPE, "rope", build_rope, "Cos Concat Sin Neg Concat Split Concat Mul Mul Add"},
	{OP_ROPE, "rope_partial", build_rope_partial,
	 "Cos Concat Sin Neg Concat Split Split Concat Mul Mul Add Concat"},
	{OP_ATTENTION, "attention", build_attention,
	 "Shape Shape Mul " BLOCKS "Shape Gather " JOINED
	 "Transpose Transpose Loop(Gather Gather Mul Transpose MatMul Softmax MatMul Identity) Transpose "
	 "Reshape Slice"},
	{OP_ATTENTION, "attention_grouped", build_attention_grouped,
	 "Shape Shape Mul " BLOCKS "Shape Gather " JOINED
	 "Transpose Transpose Loop(Gather Gather Mul Reshape Transpose Reshape MatMul Softmax MatMul "
	 "Identity) Reshape Transpose Reshape Slice"},
	{OP_ATTENTION, "attention_causal", build_attention_masked,
	 "Shape Shape Mul " BLOCKS "Unsqueeze Where Squeeze Range Shape Gather " JOINED
	 "Transpose Transpose Loop(Gather Gather Mul Reshape Transpose Reshape MatMul Unsqueeze "
	 "GreaterOrEqual Where Reshape Add Softmax Reshape MatMul Identity) Reshape Transpose Reshape Slice"},
	{OP_ATTENTION, "attention_keys", build_attention_keys,
	 "Shape Shape Mul " BLOCKS "Unsqueeze Where Shape Gather " JOINED
	 "Transpose Transpose Loop(Gather Gather Mul Transpose MatMul Add Softmax MatMul Identity) Transpose "
	 "Reshape Slice"},
	{OP_ATTENTION, "attention_each_query", build_attention_each,
	 "Shape Shape Mul " BLOCKS "Shape Gather " JOINED
	 "Transpose Transpose Loop(Gather Gather Mul Transpose MatMul Gather Unsqueeze Where Add Softmax "
	 "MatMul Identity) Transpose Reshape Slice"},
	{OP_L2_NORMALIZE, "l2_normalize", build_l2_normalize, "ReduceL2 Div"},
	{OP_L2_NORMALIZE, "l2_normalize_eps", build_l2_normalize_eps, "Mul ReduceSum Add Sqrt Div"},
	{OP_SOFTMAX, "softmax", build_softmax, "Softmax"},
	{OP_SOFTPLUS, "softplus", build_softplus, "Abs Neg Exp Add Div Atanh Relu Add Add"},
	{OP_EXP, "exp", build_exp, "Exp"},
	{OP_CAUSAL_CONV, "causal_conv", build_causal_conv,
	 "Unsqueeze Unsqueeze Transpose Conv Transpose Squeeze"},
	{OP_DELTA_RULE, "delta_rule", build_delta_rule,
	 "Shape Concat ConstantOfShape Shape Sub Add Div " BLOCKS_OF "Shape Concat " MASKS
	 "Shape Gather " JOINED BY_GROUP BY_GROUP BY_GROUP BY_GROUP BY_GROUP "Mul "
	 "Loop(Gather Gather Gather Gather Gather Gather Mul MatMul Exp Mul MatMul Exp Transpose MatMul Mul "
	 "Mul "
	 "MatMul Mul Sub Mul Mul Sub " JOIN JOIN JOIN JOIN
	 "MatMul MatMul Mul MatMul Mul MatMul Add Slice Mul "
	 "Slice Transpose Mul MatMul Add Identity) Transpose Reshape Slice"},
	{OP_SILU, "silu", build_silu, "Sigmoid Mul"},
	{OP_GELU, "gelu", build_gelu, "Div Erf Add Mul Mul"},
	{OP_GELU_TANH, "gelu_tanh", build_gelu_tanh, "Mul Mul Add Mul Mul Tanh Add Mul Mul"},
	{OP_QUICK_GELU, "quick_gelu", build_quick_gelu, "Mul Sigmoid Mul"},
	{OP_SIGMOID, "sigmoid", build_sigmoid, "Sigmoid"},
	{OP_COS, "cos", build_cos, "Cos"},
	{OP_SIN, "sin", build_sin, "Sin"},
	{OP_ADD, "add", build_add, "Add"},
	{OP_SUB, "sub", build_sub, "Sub"},
	{OP_MUL, "mul", build_mul, "Mul"},
	{OP_DIV, "div", build_div, "Div"},
	{OP_MOD, "mod", build_mod, "Mod"},
	{OP_MIN, "min", build_min, "Min"},
	{OP_MAX, "max", build_max, "Max"},
	{OP_EQUAL, "equal", build_equal, "Equal"},
	{OP_LESS, "less", build_less, "Less"},
	{OP_AND, "and", build_and, "And"},
	{OP_OR, "or", build_or, "Or"},
	{OP_NOT, "not", build_not, "Not"},
	{OP_WHERE, "where", build_where, "Where"},
	{OP_CAST, "cast", build_cast, "Cast"},
	{OP_RESHAPE, "reshape", build_reshape, "Reshape"},
	{OP_TRANSPOSE, "transpose", build_transpose, "Transpose"},
	{OP_CONCAT, "concat", build_concat, "Concat"},
	{OP_SLICE, "slice", build_slice, "Slice"},
	{OP_SIZE, "size", build_size, "Shape Squeeze"},
	{OP_IOTA, "iota", build_iota, "Shape Squeeze Range"},
	{OP_CUMSUM, "cumsum", build_cumsum, "CumSum"},
	{OP_SUM, "sum", build_sum, "ReduceSum"},
	{OP_SHIFT, "shift", build_shift, "Pad Slice"},
	{OP_SHIFT, "shift_bool", build_shift_bool, "Pad Slice"},
	{OP_ANY, "any", build_any, "Cast ReduceSum Cast"},
	{OP_CHECK, "check", build_check, "Cast ReduceSum Add Range Unsqueeze Concat ReduceSum Cast Add"},
	{OP_IF, "if", build_if, "Cast ReduceSum Cast If(Mul)(Identity)"},
};

static const int64_t sizes[] = {1, 9, 13};

/* "Mul If(Add)(Mul Mul)": the nodes of bodies and branches in brackets. */
static void
types_put(const Onnx__GraphProto *g, struct buf *b)
{
	const Onnx__NodeProto *n;
	size_t i, k;

	for (i = 0; i < g->n_node; i++) {
		n = g->node[i];
		buf_printf(b, "%s%s", i ? " " : "", n->op_type);
		for (k = 0; k < n->n_attribute; k++)
			if (n->attribute[k]->g) {
				buf_puts(b, "(");
				types_put(n->attribute[k]->g, b);
				buf_puts(b, ")");
			}
	}
}

static void
row_lower(const struct row *row, int64_t n, struct made *m)
{
	made_new(m, n);
	m->g->output = row->build(m);
	(void)made_lower(m, NULL);
	assert_no_error(&m->e);
}

TEST(test_every_op)
{
	bool seen[OP_COUNT] = {false};
	struct buf types = BUF_INIT;
	struct made m;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		for (k = 0; k < ARRAY_LEN(sizes); k++) {
			row_lower(&rows[i], sizes[k], &m);
			model_sound(m.model);
			buf_clear(&types);
			types_put(m.model->graph, &types);
			assert_string_equal(types.data, rows[i].types);
			seen[rows[i].op] = true;
			made_release(&m);
		}
	for (i = 0; i < OP_COUNT; i++)
		if (!seen[i])
			fail_msg("'%s' has no row here", ir_op_info((enum ir_op)i)->name);
	buf_release(&types);
}

/* ---- reshapes ---- */

/* "Reshape 0 -1 7": the node and its constant target, or only the type where the target is computed. */
static void
reshape_describe(const struct made *m, struct buf *b)
{
	const Onnx__GraphProto *g = m->model->graph;
	const Onnx__NodeProto *n = g->node[g->n_node - 1];
	const Onnx__TensorProto *t;
	int64_t v;
	size_t i, k;

	buf_clear(b);
	buf_puts(b, n->op_type);
	for (i = 0; i < g->n_initializer; i++) {
		t = g->initializer[i];
		for (k = 0; str_eq(t->name, n->input[1]) && k < t->raw_data.len / sizeof(v); k++) {
			memcpy(&v, t->raw_data.data + k * sizeof(v), sizeof(v));
			buf_printf(b, " %lld", (long long)v);
		}
	}
}

static void
reshape_case(struct shape from, struct shape to, const char *want, size_t want_nodes)
{
	struct buf got = BUF_INIT;
	struct made m;

	made_new(&m, 1);
	m.g->output = node(&m, OP_RESHAPE, ATTR(.shape = to), input(&m, ELEM_F32, from));
	(void)made_lower(&m, NULL);
	assert_no_error(&m.e);
	model_sound(m.model);
	reshape_describe(&m, &got);
	assert_string_equal(got.data, want);
	assert_int_equal(m.model->graph->n_node, want_nodes);
	made_release(&m);
	buf_release(&got);
}

TEST(test_reshape)
{
	struct dim n = dim_const(12), d = dim_const(7), one = dim_const(1), nd = dim_const(84);
	struct dim units = dim_div(PATCHES, 4), all_units = dim_mul(IMAGES, units);

	reshape_case(shape_of(3, BATCH, SEQUENCE, nd), shape_of(4, BATCH, SEQUENCE, n, d), "Reshape 0 0 12 7",
		     1);
	reshape_case(shape_of(4, BATCH, SEQUENCE, n, d), shape_of(3, BATCH, SEQUENCE, nd), "Reshape 0 0 84",
		     1);
	reshape_case(shape_of(2, BATCH, SEQUENCE), shape_of(1, dim_mul(BATCH, SEQUENCE)), "Reshape -1", 1);
	reshape_case(shape_of(3, IMAGES, PATCHES, d), shape_of(3, IMAGES, units, dim_const(28)),
		     "Reshape 0 -1 28", 1);
	reshape_case(shape_of(3, IMAGES, units, d), shape_of(2, all_units, d), "Reshape -1 7", 1);
	reshape_case(shape_of(1, nd), shape_of(2, n, d), "Reshape 12 7", 1);
	reshape_case(shape_of(2, BATCH, SEQUENCE), shape_of(4, BATCH, one, SEQUENCE, one), "Unsqueeze 1 3",
		     1);
	reshape_case(shape_of(3, BATCH, one, SEQUENCE), shape_of(2, BATCH, SEQUENCE), "Squeeze 1", 1);
	reshape_case(shape_of(1, one), shape_of(0), "Squeeze 0", 1);
	/* Two sizes that only the run knows, one of them inferred: Shape, Concat, Reshape. */
	reshape_case(shape_of(2, dim_mul(BATCH, d), SEQUENCE), shape_of(2, SEQUENCE, dim_mul(BATCH, d)),
		     "Reshape", 3);
}

/* [batch*sequence, n] to [batch, sequence, n], where another input has the sizes. */
TEST(test_sizes_of_other_inputs)
{
	struct ir_value *x, *y;
	struct made m;

	made_new(&m, 7);
	x = input3(&m, ELEM_F32);
	y = node(&m, OP_RESHAPE, ATTR(.shape = shape_of(2, dim_mul(BATCH, SEQUENCE), size(&m))), x);
	y = node(&m, OP_RESHAPE, ATTR(.shape = x->shape), y);
	m.g->output = node(&m, OP_RESHAPE,
			   ATTR(.shape = shape_of(3, dim_mul(BATCH, SEQUENCE), size(&m), dim_const(1))), y);
	(void)made_lower(&m, NULL);
	assert_no_error(&m.e);
	model_sound(m.model);
	assert_string_equal(m.model->graph->node[0]->output[0], "dim.sequence");
	made_release(&m);
}

TEST(test_size_that_no_input_has)
{
	struct made m;

	made_new(&m, 7);
	(void)input(&m, ELEM_F32, shape_of(2, dim_mul(BATCH, SEQUENCE), size(&m)));
	m.g->output =
		node_to(&m, &m.g->block, OP_IOTA, &(struct ir_attr){.shape = shape_of(1, BATCH)}, 0, NULL);
	assert_int_equal(made_lower(&m, NULL), E_EXPORT);
	assert_error(&m.e, E_EXPORT, "no input of graph 'test' has an axis of the size 'batch'");
	made_release(&m);
}

TEST(test_products_of_sizes)
{
	struct shape s = shape_of(1, dim_mul(dim_const(3), dim_div(dim_mul(IMAGES, PATCHES), 4)));
	struct buf types = BUF_INIT;
	struct made m;

	made_new(&m, 7);
	(void)input(&m, ELEM_F32, shape_of(2, IMAGES, PATCHES));
	m.g->output = node_to(&m, &m.g->block, OP_IOTA, &(struct ir_attr){.shape = s}, 0, NULL);
	(void)made_lower(&m, NULL);
	assert_no_error(&m.e);
	types_put(m.model->graph, &types);
	assert_string_equal(types.data, "Shape Shape Mul Mul Div Squeeze Range");
	assert_string_equal(m.model->graph->node[4]->output[0], "dim.3*images*patches/4");
	buf_release(&types);
	made_release(&m);
}

/* ---- things that are shared ---- */

static size_t
count_of(const struct made *m, const char *type)
{
	size_t i;

	for (i = 0; i < m->job.tally.n; i++)
		if (str_eq(m->job.tally.row[i].type, type))
			return m->job.tally.row[i].n;
	return 0;
}

TEST(test_sine_is_signed_once)
{
	struct ir_value *cosine, *sine, *x;
	static const float table[2] = {0, 1};
	struct made m;

	made_new(&m, 4);
	x = input(&m, ELEM_F32, shape_of(4, BATCH, dim_const(1), dim_const(2), size(&m)));
	sine = value_add(&m, IR_CONST, ELEM_F32, shape_of(3, dim_const(1), dim_const(1), dim_const(2)));
	cosine = value_add(&m, IR_CONST, ELEM_F32, shape_of(3, dim_const(1), dim_const(1), dim_const(2)));
	sine->data = cosine->data = table;
	m.g->output = node(&m, OP_ROPE, NONE, node(&m, OP_ROPE, NONE, x, cosine, sine), cosine, sine);
	(void)made_lower(&m, NULL);
	assert_no_error(&m.e);
	model_sound(m.model);
	assert_int_equal(count_of(&m, "Neg"), 1);
	assert_int_equal(count_of(&m, "Concat"), 2 + 2);
	assert_int_equal(m.model->graph->n_initializer, 1); /* the table, which both use */
	made_release(&m);
}

static void
weight_make(struct weight *w, struct st_tensor *t, int64_t count)
{
	*t = (struct st_tensor){
		.name = "disk", .dtype = ELEM_BF16, .rank = 1, .shape = {count}, .count = count};
	*w = (struct weight){.name = "w", .tensor = t};
}

static struct ir_value *
weight_value(struct made *m, const struct weight *w, struct shape s)
{
	struct ir_value *v = value_add(m, IR_WEIGHT, ELEM_F32, s);

	v->weight = w;
	return v;
}

static const char *
external_get(const Onnx__TensorProto *t, const char *key)
{
	size_t i;

	for (i = 0; i < t->n_external_data; i++)
		if (str_eq(t->external_data[i]->key, key))
			return t->external_data[i]->value;
	return "";
}

/* A weight that two branches use is an initializer of the graph around them. */
TEST(test_weights)
{
	struct ir_attr attr = {.f = 0};
	const Onnx__TensorProto *t;
	struct ir_value *x, *w, *bias, *condition;
	struct extdata *data = NULL;
	struct st_tensor tensor[2];
	struct weight weight[2];
	struct made m;

	weight_make(&weight[0], &tensor[0], 35);
	weight_make(&weight[1], &tensor[1], 5);
	made_new(&m, 7);
	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &data, &m.e), 0);
	x = input3(&m, ELEM_F32);
	w = weight_value(&m, &weight[0], shape_of(2, dim_const(5), dim_const(7)));
	bias = weight_value(&m, &weight[1], shape_of(1, dim_const(5)));
	bias->transform = IR_PLUS_ONE;
	attr.then_block = graph_block_add(m.g);
	attr.else_block = graph_block_add(m.g);
	attr.then_block->result =
		node_to(&m, attr.then_block, OP_LINEAR, NULL, 2, (struct ir_value *[]){x, w});
	attr.else_block->result =
		node_to(&m, attr.else_block, OP_LINEAR, NULL, 3, (struct ir_value *[]){x, w, bias});
	condition = node(&m, OP_ANY, NONE, mask_input(&m));
	m.g->output = node_to(&m, &m.g->block, OP_IF, &attr, 1, &condition);
	(void)made_lower(&m, data);
	assert_no_error(&m.e);
	model_sound(m.model);
	assert_int_equal(m.model->graph->n_initializer, 2);
	t = m.model->graph->initializer[0];
	assert_string_equal(t->name, "v1.T");
	assert_int_equal(t->dims[0], 7);
	assert_int_equal(t->dims[1], 5);
	assert_string_equal(external_get(t, "location"), "model.onnx_data");
	assert_string_equal(external_get(t, "offset"), "0");
	assert_string_equal(external_get(t, "length"), "140");
	assert_string_equal(external_get(m.model->graph->initializer[1], "offset"), "4096");
	assert_int_equal(extdata_len(data), 8192);
	assert_int_equal(m.job.weight_bytes, 160);
	made_release(&m);
	extdata_free(&data);
}

TEST(test_weight_of_another_size)
{
	struct extdata *data = NULL;
	struct st_tensor tensor;
	struct weight weight;
	struct ir_value *x;
	struct made m;

	weight_make(&weight, &tensor, 34);
	made_new(&m, 7);
	assert_int_equal(extdata_new(ONNX_DATA_FILE, 0, &data, &m.e), 0);
	x = input3(&m, ELEM_F32);
	m.g->output = node(&m, OP_LINEAR, NONE, x,
			   weight_value(&m, &weight, shape_of(2, dim_const(5), dim_const(7))));
	assert_int_equal(made_lower(&m, data), E_INTERNAL);
	assert_error(&m.e, E_INTERNAL, "'v1' has 34 elements");
	made_release(&m);
	extdata_free(&data);
}

static void
lower_silu_elsewhere(struct emit *em, const struct ir_node *n)
{
	(void)emit_result(em, "Swish", emit_in(em, n->in[0]));
	emit_domain(em, "test.domain");
}

/* The oldest ONNX Runtime for a graph of the row's op. */
static int
runtime_of(const struct row *row, const struct target *target)
{
	const struct onnx_options options = {.target = target};
	struct made m;
	int least;

	made_new(&m, 16);
	m.g->output = row->build(&m);
	(void)made_lower_with(&m, &options, NULL);
	assert_no_error(&m.e);
	least = m.job.runtime;
	made_release(&m);
	return least;
}

/* Every op that target_ort may use is a row of runtime.def; what each needs was found by running the releases. */
TEST(test_runtime)
{
	static const struct {
		const char *row;
		int least;
	} known[] = {{"linear", RELEASE(15, 0)},
		     {"rms_norm", RELEASE(15, 0)},
		     {"rope", RELEASE(17, 0)},
		     {"gelu", RELEASE(17, 0)},
		     {"attention_keys", RELEASE(17, 0)},
		     {"attention_causal", RELEASE(22, 0)},
		     {"attention_each_query", RELEASE(15, 0)},
		     {"causal_conv", RELEASE(15, 0)},
		     {"delta_rule", RELEASE(25, 1)}};
	size_t i, k, found = 0;
	int least;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(runtime_of(&rows[i], &target_portable), RELEASE(15, 0));
		least = runtime_of(&rows[i], &target_ort);
		if (least < RELEASE(15, 0))
			fail_msg("'%s' has an op that is not a row of runtime.def", rows[i].name);
		for (k = 0; k < ARRAY_LEN(known); k++)
			if (str_eq(known[k].row, rows[i].name)) {
				assert_int_equal(least, known[k].least);
				found++;
			}
	}
	assert_int_equal(found, ARRAY_LEN(known));
}

TEST(test_release)
{
	char text[RELEASE_LEN];

	assert_string_equal(release_str(RELEASE(15, 0), text), "1.15");
	assert_string_equal(release_str(RELEASE(25, 1), text), "1.25.1");
	assert_int_equal(release_parse("1.25.0"), RELEASE(25, 0));
	assert_int_equal(release_parse("1.25.1\n"), RELEASE(25, 1));
	assert_int_equal(release_parse("1.22"), RELEASE(22, 0));
	assert_true(release_parse("1.25.0") < RELEASE(25, 1) && RELEASE(25, 1) < release_parse("1.26.0"));
	assert_int_equal(release_parse("2.0.0"), 0);
	assert_int_equal(release_parse("1.-3"), 0);
	assert_int_equal(release_parse("1.22.100"), 0);
}

static struct ir_value *
residual(struct made *m)
{
	return node(m, OP_ADD, NONE, input3(m, ELEM_F32), input3(m, ELEM_F32));
}

/* The nodes of a graph whose output is `out`, under target_ort. */
static void
ort_nodes(struct made *m, struct ir_value *out, bool half, struct buf *ret)
{
	const struct onnx_options options = {.target = &target_ort, .half = half};

	m->g->output = out;
	(void)made_lower_with(m, &options, NULL);
	assert_no_error(&m->e);
	types_put(m->model->graph, ret);
}

/* A sum and the norm right behind it are one node, whose fourth output is the sum. */
TEST(test_sum_with_its_norm)
{
	_cleanup_(buf_release) struct buf types = BUF_INIT;
	struct ir_value *sum, *norm;
	struct made m;

	made_new(&m, 8);
	sum = residual(&m);
	norm = node(&m, OP_RMS_NORM, ATTR(.f = 1e-6), sum, vector(&m));
	ort_nodes(&m, node(&m, OP_ADD, NONE, sum, norm), /*half=*/false, &types);
	assert_string_equal(types.data, "SkipSimplifiedLayerNormalization Add");
	assert_string_equal(m.model->graph->node[0]->domain, "com.microsoft");
	assert_string_equal(m.model->graph->node[0]->output[0], norm->name);
	assert_string_equal(m.model->graph->node[0]->output[3], sum->name);
	assert_string_equal(m.model->graph->node[1]->input[0], sum->name);
	made_release(&m);
}

/* Another node between them, or the norm in float32 behind a sum in float16: they stay apart. */
TEST(test_sum_apart_from_its_norm)
{
	_cleanup_(buf_release) struct buf types = BUF_INIT;
	struct ir_value *sum, *more, *norm;
	struct made m;

	made_new(&m, 8);
	sum = residual(&m);
	more = node(&m, OP_SIN, NONE, sum);
	norm = node(&m, OP_RMS_NORM, ATTR(.f = 1e-6), sum, vector(&m));
	ort_nodes(&m, node(&m, OP_MUL, NONE, more, norm), /*half=*/false, &types);
	assert_string_equal(types.data, "Add Sin SimplifiedLayerNormalization Mul");
	made_release(&m);

	buf_clear(&types);
	made_new(&m, 8);
	norm = node(&m, OP_RMS_NORM, ATTR(.f = 1e-6), residual(&m), vector(&m));
	ort_nodes(&m, norm, /*half=*/true, &types);
	assert_null(strstr(types.data, "Skip"));
	made_release(&m);
}

/* "NAME TYPE" of each output */
static void
outputs_put(const Onnx__GraphProto *g, struct buf *b)
{
	size_t i;

	for (i = 0; i < g->n_output; i++)
		buf_printf(b, "%s%s %d", i ? ", " : "", g->output[i]->name,
			   g->output[i]->type->tensor_type->elem_type);
}

/* y = silu(x), which is float16 in such a graph; z = its norm, which is float32; w says where y is above z. */
static void
outputs_test(const struct onnx_options *options, const char *want)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	struct made m;

	made_new(&m, 8);
	m.g->output = node(&m, OP_SILU, NONE, input3(&m, ELEM_F32));
	m.g->output->name = "y";
	m.g->beside[0] = node(&m, OP_RMS_NORM, ATTR(.f = 1e-6), m.g->output, vector(&m));
	m.g->beside[0]->name = "z";
	m.g->beside[1] = node(&m, OP_LESS, NONE, m.g->beside[0], m.g->output);
	m.g->beside[1]->name = "w";
	m.g->n_beside = 2;
	(void)made_lower_with(&m, options, NULL);
	assert_no_error(&m.e);
	outputs_put(m.model->graph, &b);
	assert_string_equal(b.data, want);
	made_release(&m);
}

/* The profile's name is for the first output, its type for all that are floats. */
TEST(test_outputs)
{
	outputs_test(&(struct onnx_options){.half = false}, "y 1, z 1, w 9");
	outputs_test(&(struct onnx_options){.half = true}, "y 1, z 1, w 9");
	outputs_test(&(struct onnx_options){.half = true, .output_half = true}, "y 10, z 10, w 9");
	outputs_test(&(struct onnx_options){.output_half = true}, "y 10, z 10, w 9");
	outputs_test(&(struct onnx_options){.output = "vectors"}, "vectors 1, z 1, w 9");
}

/* A target changes the ops that it lists, and says which opsets its files need. */
TEST(test_target)
{
	static const struct target_import imports[] = {{"", 18}, {"test.domain", 3}, {0}};
	static const struct target_override overrides[] = {{OP_SILU, lower_silu_elsewhere}, {0}};
	static const struct target target = {
		.name = "test", .ir_version = 9, .imports = imports, .overrides = overrides};
	static const struct onnx_options options = {.target = &target};
	struct buf types = BUF_INIT;
	struct made m;

	made_new(&m, 7);
	m.g->output = node(&m, OP_COS, NONE, node(&m, OP_SILU, NONE, input3(&m, ELEM_F32)));
	(void)made_lower_with(&m, &options, NULL);
	assert_no_error(&m.e);
	types_put(m.model->graph, &types);
	assert_string_equal(types.data, "Swish Cos");
	assert_string_equal(m.model->graph->node[0]->domain, "test.domain");
	assert_null(m.model->graph->node[1]->domain);
	assert_int_equal(m.model->ir_version, 9);
	assert_int_equal(m.model->n_opset_import, 2);
	assert_null(m.model->opset_import[0]->domain);
	assert_int_equal(m.model->opset_import[0]->version, 18);
	assert_string_equal(m.model->opset_import[1]->domain, "test.domain");
	assert_int_equal(m.model->opset_import[1]->version, 3);
	buf_release(&types);
	made_release(&m);
}

int
main(void)
{
	return tests_run("onnx_lower", NULL, NULL);
}
