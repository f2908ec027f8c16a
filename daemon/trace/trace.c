#include "trace.h"

#include <stdarg.h>

#include "base/str.h"
#include "eval.h"

#define NAME_MAX_LEN 200

struct trace {
	struct ir_graph *g;
	struct ir_block *block; /* the block that new nodes go to: the graph's own, or a branch */
	const struct checkpoint *ck;
	struct eval *meta;
	struct err err;          /* the first failure; nothing is done after it */
	struct ir_value nothing; /* returned by a failed trace */
	char scope[NAME_MAX_LEN];
	bool one_output;
};

int
trace_new(const char *graph, const struct checkpoint *ck, const struct sizes *sizes, struct trace **ret,
	  struct err *e)
{
	_cleanup_(trace_free) struct trace *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_no_memory(e);
	r = graph_new(graph, &t->g, e);
	if (r == 0)
		r = eval_new(t->g, TT_META, sizes, &t->meta, e);
	if (r < 0)
		return r;
	t->block = &t->g->block;
	t->ck = ck;
	t->nothing.name = "nothing";
	*ret = TAKE(t);
	return 0;
}

void
trace_free(struct trace **t)
{
	if (!*t)
		return;
	eval_free(&(*t)->meta);
	graph_free(&(*t)->g);
	free(*t);
	*t = NULL;
}

static struct ir_value *
failed(struct trace *t, int code)
{
	if (code == E_NO_MEMORY)
		(void)err_set(&t->err, code, "memory ran out for the graph");
	return &t->nothing;
}

void
tr_fail(struct trace *t, int code, const char *fmt, ...)
{
	char msg[sizeof(t->err.msg)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	(void)err_set(&t->err, code, "%s", msg);
}

void
tr_scope(struct trace *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(t->scope, sizeof(t->scope), fmt, ap);
	va_end(ap);
}

static struct ir_value *
value_find(const struct trace *t, const char *name)
{
	size_t i;

	for (i = t->g->n_value; i-- > 0;) /* backwards: values with the same base name follow one another */
		if (str_eq(t->g->value[i]->name, name))
			return t->g->value[i];
	return NULL;
}

/* Writes the name, with a number appended when it is taken. */
static void
name_free(const struct trace *t, const char *name, char ret[NAME_MAX_LEN])
{
	int k = 1, n;

	n = snprintf(ret, NAME_MAX_LEN, "%s", name);
	n = MIN(n, NAME_MAX_LEN - 16);
	while (value_find(t, ret))
		(void)snprintf(ret + n, (size_t)(NAME_MAX_LEN - n), ".%d", ++k);
}

/* "SCOPE.NAME" */
static void
name_unique(const struct trace *t, const char *name, char ret[NAME_MAX_LEN])
{
	char full[2 * NAME_MAX_LEN];

	(void)snprintf(full, sizeof(full), "%s%s%s", t->scope, *t->scope ? "." : "", name);
	name_free(t, full, ret);
}

struct ir_value *
tr_name(struct trace *t, struct ir_value *v, const char *fmt, ...)
{
	char want[NAME_MAX_LEN], name[NAME_MAX_LEN];
	va_list ap;

	if (t->err.code)
		return v;
	va_start(ap, fmt);
	(void)vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	v->name = ""; /* so that its old name counts as free */
	name_unique(t, want, name);
	v->name = graph_strdup(t->g, name);
	if (!v->name)
		return failed(t, E_NO_MEMORY);
	if (v->node)
		v->node->name = v->name;
	return v;
}

struct ir_value *
tr_input(struct trace *t, const char *name, enum elem elem, struct shape shape)
{
	struct ir_value *v;

	if (t->err.code)
		return &t->nothing;
	v = graph_value_add(t->g, IR_INPUT, elem, &shape, name);
	if (!v)
		return failed(t, E_NO_MEMORY);
	(void)eval_feed(t->meta, v, NULL, &t->err);
	return v;
}

void
tr_from_caller(struct trace *t, struct ir_value *input)
{
	if (t->err.code == 0)
		input->from_caller = true;
}

/* Makes a weight for a trace without a checkpoint, in the graph's memory. NULL: memory ran out. */
static const struct weight *
weight_invent(struct trace *t, const char *name, int rank, const int64_t *shape)
{
	struct st_tensor x = {.name = graph_strdup(t->g, name), .dtype = ELEM_F32, .rank = rank, .count = 1};
	struct weight w = {.name = x.name};
	int i;

	for (i = 0; i < rank; i++) {
		x.shape[i] = shape[i];
		x.count *= shape[i];
	}
	w.tensor = graph_memdup(t->g, &x, sizeof(x));
	return w.name && w.tensor ? graph_memdup(t->g, &w, sizeof(w)) : NULL;
}

static struct ir_value *
weight_add(struct trace *t, const struct shape *shape, const struct shape *stored,
	   enum ir_transform transform, const char *name)
{
	int64_t want[IR_RANK_MAX];
	const struct weight *w;
	struct ir_value *v;
	char full[NAME_MAX_LEN], unique[NAME_MAX_LEN];
	int i;

	if (t->err.code)
		return &t->nothing;
	(void)snprintf(full, sizeof(full), "%s%s", name, transform == IR_PLUS_ONE ? "+1" : "");
	v = value_find(t, full);
	if (v && v->kind == IR_WEIGHT && shape_eq(&v->shape, shape))
		return v;
	name_free(t, full, unique);
	for (i = 0; i < stored->rank; i++)
		want[i] = dim_eval(stored->dim[i], &(struct sizes){{0}});
	if (!t->ck)
		w = weight_invent(t, name, stored->rank, want);
	else if (checkpoint_require(t->ck, name, stored->rank, want, &w, &t->err) < 0)
		return &t->nothing;
	if (!w)
		return failed(t, E_NO_MEMORY);
	v = graph_value_add(t->g, IR_WEIGHT, ELEM_F32, shape, unique);
	if (!v)
		return failed(t, E_NO_MEMORY);
	v->weight = w;
	v->transform = transform;
	return v;
}

/* Formats the name into `name`. */
/* clang-format off */
#define NAME_FORMAT(name, fmt)                                                                               \
	do {                                                                                                 \
		va_list ap_;                                                                                 \
		va_start(ap_, fmt);                                                                          \
		(void)vsnprintf(name, sizeof(name), fmt, ap_);                                               \
		va_end(ap_);                                                                                 \
	} while (0)
/* clang-format on */

const struct weight *
tr_weight_find(const struct trace *t, const char *fmt, ...)
{
	char name[NAME_MAX_LEN];

	NAME_FORMAT(name, fmt);
	return t->ck ? checkpoint_find(t->ck, name) : NULL;
}

struct ir_value *
tr_weight(struct trace *t, struct shape shape, const char *fmt, ...)
{
	char name[NAME_MAX_LEN];

	NAME_FORMAT(name, fmt);
	return weight_add(t, &shape, &shape, IR_AS_IS, name);
}

struct ir_value *
tr_weight_plus_one(struct trace *t, struct shape shape, const char *fmt, ...)
{
	char name[NAME_MAX_LEN];

	NAME_FORMAT(name, fmt);
	return weight_add(t, &shape, &shape, IR_PLUS_ONE, name);
}

struct ir_value *
tr_weight_as(struct trace *t, struct shape shape, struct shape stored, const char *fmt, ...)
{
	char name[NAME_MAX_LEN];

	NAME_FORMAT(name, fmt);
	return weight_add(t, &shape, &stored, IR_AS_IS, name);
}

/* Finds an equal constant whose name is this one, with or without a number. */
static struct ir_value *
const_find(const struct trace *t, enum elem elem, const struct shape *shape, const void *data, size_t len,
	   const char *name)
{
	struct ir_value *v;
	size_t i;

	for (i = 0; i < t->g->n_value; i++) {
		v = t->g->value[i];
		if (v->kind == IR_CONST && v->elem == elem && str_starts(v->name, name) &&
		    shape_eq(&v->shape, shape) && memcmp(v->data, data, len) == 0)
			return v;
	}
	return NULL;
}

static struct ir_value *
const_add(struct trace *t, enum elem elem, const struct shape *shape, const void *data, const char *name)
{
	size_t len = (size_t)dim_eval(shape_count(shape), &(struct sizes){{0}}) * elem_size(elem);
	char unique[NAME_MAX_LEN];
	struct ir_value *v;

	if (t->err.code)
		return &t->nothing;
	v = const_find(t, elem, shape, data, len, name);
	if (v)
		return v;
	name_free(t, name, unique);
	v = graph_value_add(t->g, IR_CONST, elem, shape, unique);
	if (v)
		v->data = graph_memdup(t->g, data, len);
	return v && v->data ? v : failed(t, E_NO_MEMORY);
}

struct ir_value *
tr_i64(struct trace *t, int64_t k)
{
	const struct shape scalar = {.rank = 0};
	char name[32];

	(void)snprintf(name, sizeof(name), "int.%lld", (long long)k);
	return const_add(t, ELEM_I64, &scalar, &k, name);
}

struct ir_value *
tr_f32(struct trace *t, double x)
{
	const struct shape scalar = {.rank = 0};
	const float f = (float)x;
	char name[48];

	(void)snprintf(name, sizeof(name), "float.%.9g", (double)f);
	return const_add(t, ELEM_F32, &scalar, &f, name);
}

struct ir_value *
tr_table(struct trace *t, const char *name, struct shape shape, const float *data)
{
	return const_add(t, ELEM_F32, &shape, data, name);
}

struct ir_value *
tr_table_i64(struct trace *t, const char *name, struct shape shape, const int64_t *data)
{
	return const_add(t, ELEM_I64, &shape, data, name);
}

/* Adds one op: computes its shape by the rule of its row and by libtorch, compares both, and records the node. */
static struct ir_value *
op_add(struct trace *t, enum ir_op op, const struct ir_attr *attr, int n_in, struct ir_value *const *in)
{
	char name[NAME_MAX_LEN];
	struct shape shape;
	enum elem elem;
	struct ir_node *node;

	if (t->err.code)
		return &t->nothing;
	name_unique(t, ir_op_info(op)->name, name);
	node = graph_node_add(t->g, t->block, op, in, n_in, attr);
	if (!node)
		return failed(t, E_NO_MEMORY);
	if (infer_node(node, &elem, &shape, &t->err) < 0) {
		(void)err_context(&t->err, "'%s'", name);
		return &t->nothing;
	}
	node->out = graph_value_add(t->g, IR_RESULT, elem, &shape, name);
	if (!node->out)
		return failed(t, E_NO_MEMORY);
	node->out->node = node;
	node->name = node->out->name;
	return eval_node(t->meta, node, &t->err) < 0 ? &t->nothing : node->out;
}

/* clang-format off */
#define OP_ADD(t, op, attr, ...)                                                                             \
	op_add(t, op, attr, (int)ARRAY_LEN(((struct ir_value *[]){__VA_ARGS__})), (struct ir_value *[]){__VA_ARGS__})

#define UNARY(name, op)                                                                                      \
	struct ir_value *tr_##name(struct trace *t, struct ir_value *x)                                      \
	{                                                                                                    \
		return OP_ADD(t, op, NULL, x);                                                               \
	}

#define BINARY(name, op)                                                                                     \
	struct ir_value *tr_##name(struct trace *t, struct ir_value *a, struct ir_value *b)                  \
	{                                                                                                    \
		return OP_ADD(t, op, NULL, a, b);                                                            \
	}
/* clang-format on */

UNARY(l2_normalize, OP_L2_NORMALIZE)
UNARY(softmax, OP_SOFTMAX)
UNARY(silu, OP_SILU)
UNARY(gelu, OP_GELU)
UNARY(gelu_tanh, OP_GELU_TANH)
UNARY(quick_gelu, OP_QUICK_GELU)
UNARY(sigmoid, OP_SIGMOID)
UNARY(softplus, OP_SOFTPLUS)
UNARY(exp, OP_EXP)
UNARY(cos, OP_COS)
UNARY(sin, OP_SIN)
UNARY(not, OP_NOT)
UNARY(any, OP_ANY)
BINARY(gather, OP_GATHER)
BINARY(causal_conv, OP_CAUSAL_CONV)
BINARY(add, OP_ADD)
BINARY(sub, OP_SUB)
BINARY(mul, OP_MUL)
BINARY(div, OP_DIV)
BINARY(mod, OP_MOD)
BINARY(min, OP_MIN)
BINARY(max, OP_MAX)
BINARY(equal, OP_EQUAL)
BINARY(less, OP_LESS)
BINARY(and, OP_AND)
BINARY(or, OP_OR)
BINARY(check, OP_CHECK)

struct ir_value *
tr_linear(struct trace *t, struct ir_value *x, struct ir_value *w, struct ir_value *b)
{
	return b ? OP_ADD(t, OP_LINEAR, NULL, x, w, b) : OP_ADD(t, OP_LINEAR, NULL, x, w);
}

struct ir_value *
tr_rms_norm(struct trace *t, struct ir_value *x, struct ir_value *w, double eps)
{
	return OP_ADD(t, OP_RMS_NORM, &(struct ir_attr){.f = eps}, x, w);
}

struct ir_value *
tr_layer_norm(struct trace *t, struct ir_value *x, struct ir_value *w, struct ir_value *b, double eps)
{
	const struct ir_attr attr = {.f = eps};

	return b ? OP_ADD(t, OP_LAYER_NORM, &attr, x, w, b) : OP_ADD(t, OP_LAYER_NORM, &attr, x, w);
}

struct ir_value *
tr_rope(struct trace *t, struct ir_value *x, struct ir_value *cos, struct ir_value *sin)
{
	return OP_ADD(t, OP_ROPE, NULL, x, cos, sin);
}

struct ir_value *
tr_attention(struct trace *t, struct ir_value *q, struct ir_value *k, struct ir_value *v,
	     struct ir_value *mask, enum ir_mask kind, double scale)
{
	const struct ir_attr attr = {.f = scale, .i = kind};

	return mask ? OP_ADD(t, OP_ATTENTION, &attr, q, k, v, mask) : OP_ADD(t, OP_ATTENTION, &attr, q, k, v);
}

struct ir_value *
tr_l2_normalize_eps(struct trace *t, struct ir_value *x, double eps)
{
	return OP_ADD(t, OP_L2_NORMALIZE, &(struct ir_attr){.f = eps}, x);
}

struct ir_value *
tr_delta_rule(struct trace *t, struct ir_value *q, struct ir_value *k, struct ir_value *v,
	      struct ir_value *decay, struct ir_value *beta, double scale)
{
	return OP_ADD(t, OP_DELTA_RULE, &(struct ir_attr){.f = scale}, q, k, v, decay, beta);
}

struct ir_value *
tr_where(struct trace *t, struct ir_value *cond, struct ir_value *a, struct ir_value *b)
{
	return OP_ADD(t, OP_WHERE, NULL, cond, a, b);
}

struct ir_value *
tr_cast(struct trace *t, struct ir_value *x, enum elem elem)
{
	return OP_ADD(t, OP_CAST, &(struct ir_attr){.elem = elem}, x);
}

struct ir_value *
tr_reshape(struct trace *t, struct ir_value *x, struct shape shape)
{
	return OP_ADD(t, OP_RESHAPE, &(struct ir_attr){.shape = shape}, x);
}

struct ir_value *
tr_transpose(struct trace *t, struct ir_value *x, const int *perm)
{
	struct ir_attr attr = {.i = 0};

	memcpy(attr.perm, perm, (size_t)x->shape.rank * sizeof(*perm));
	return OP_ADD(t, OP_TRANSPOSE, &attr, x);
}

struct ir_value *
tr_concat(struct trace *t, int along, int count, ...)
{
	struct ir_value *in[IR_IN_MAX];
	va_list ap;
	int i;

	assert(count <= IR_IN_MAX);
	va_start(ap, count);
	for (i = 0; i < count; i++)
		in[i] = va_arg(ap, struct ir_value *);
	va_end(ap);
	return op_add(t, OP_CONCAT, &(struct ir_attr){.axis = along}, count, in);
}

struct ir_value *
tr_slice(struct trace *t, struct ir_value *x, int along, int64_t begin, int64_t end)
{
	const struct ir_attr attr = {.axis = along, .begin = begin, .end = end};

	return OP_ADD(t, OP_SLICE, &attr, x);
}

struct ir_value *
tr_size(struct trace *t, struct dim size)
{
	return op_add(t, OP_SIZE, &(struct ir_attr){.shape = shape_of(1, size)}, 0, NULL);
}

struct ir_value *
tr_iota(struct trace *t, struct dim count)
{
	return op_add(t, OP_IOTA, &(struct ir_attr){.shape = shape_of(1, count)}, 0, NULL);
}

struct ir_value *
tr_cumsum(struct trace *t, struct ir_value *x, int along)
{
	return OP_ADD(t, OP_CUMSUM, &(struct ir_attr){.axis = along}, x);
}

struct ir_value *
tr_sum(struct trace *t, struct ir_value *x, int along)
{
	return OP_ADD(t, OP_SUM, &(struct ir_attr){.axis = along}, x);
}

struct ir_value *
tr_shift(struct trace *t, struct ir_value *x, int along)
{
	return OP_ADD(t, OP_SHIFT, &(struct ir_attr){.axis = along}, x);
}

static struct ir_block *
branch_trace(struct trace *t, tr_branch_fn fn, const void *arg)
{
	struct ir_block *outer = t->block, *b = graph_block_add(t->g);
	char scope[NAME_MAX_LEN];

	memcpy(scope, t->scope, sizeof(scope));
	if (!b) {
		(void)failed(t, E_NO_MEMORY);
		return NULL;
	}
	t->block = b;
	b->result = fn(t, arg);
	t->block = outer;
	memcpy(t->scope, scope, sizeof(scope));
	return b;
}

static struct ir_value *
branches(struct trace *t, struct ir_value *cond, tr_branch_fn then_fn, tr_branch_fn else_fn, const void *arg,
	 bool vectors)
{
	struct ir_attr attr = {.i = vectors};

	attr.then_block = branch_trace(t, then_fn, arg);
	attr.else_block = branch_trace(t, else_fn, arg);
	return OP_ADD(t, OP_IF, &attr, cond);
}

struct ir_value *
tr_if(struct trace *t, struct ir_value *cond, tr_branch_fn then_fn, tr_branch_fn else_fn, const void *arg)
{
	return branches(t, cond, then_fn, else_fn, arg, /*vectors=*/false);
}

struct ir_value *
tr_if_vectors(struct trace *t, struct ir_value *cond, tr_branch_fn then_fn, tr_branch_fn else_fn,
	      const void *arg)
{
	return branches(t, cond, then_fn, else_fn, arg, /*vectors=*/true);
}

static void
block_mark(const struct ir_block *b, bool *used)
{
	const struct ir_node *node;
	size_t i;
	int k;

	if (b->result)
		used[b->result->id] = true;
	for (i = b->n; i-- > 0;) {
		node = b->node[i];
		if (!used[node->out->id])
			continue;
		for (k = 0; k < node->n_in; k++)
			used[node->in[k]->id] = true;
		if (node->op == OP_IF) {
			block_mark(node->attr.then_block, used);
			block_mark(node->attr.else_block, used);
		}
	}
}

static void
block_sweep(struct ir_block *b, const bool *used)
{
	size_t i, kept = 0;

	for (i = 0; i < b->n; i++) {
		if (!used[b->node[i]->out->id])
			continue;
		b->node[kept++] = b->node[i];
		if (b->node[i]->op == OP_IF) {
			block_sweep(b->node[i]->attr.then_block, used);
			block_sweep(b->node[i]->attr.else_block, used);
		}
	}
	b->n = kept;
}

/* Drops the values and nodes that no output needs. Inputs stay, because users feed them. */
static int
unused_drop(struct ir_graph *g, struct err *e)
{
	_cleanup_free_ bool *used = calloc(g->n_value, sizeof(*used));
	size_t i, kept = 0;

	if (!used)
		return err_no_memory(e);
	for (i = 0; graph_output(g, i); i++)
		used[graph_output(g, i)->id] = true;
	block_mark(&g->block, used);
	block_sweep(&g->block, used);
	for (i = 0; i < g->n_value; i++)
		if (used[i] || g->value[i]->kind == IR_INPUT) {
			g->value[kept] = g->value[i];
			g->value[kept]->id = (uint32_t)kept;
			kept++;
		}
	g->n_value = kept;
	return 0;
}

void
trace_one_output(struct trace *t)
{
	t->one_output = true;
}

void
tr_output(struct trace *t, struct ir_value *v, const char *name)
{
	char scope[NAME_MAX_LEN];

	if (t->err.code || t->one_output)
		return;
	assert(t->g->n_beside < IR_BESIDE_MAX);
	memcpy(scope, t->scope, sizeof(scope));
	tr_scope(t, "%s", "");
	t->g->beside[t->g->n_beside++] = tr_name(t, v, "%s", name);
	memcpy(t->scope, scope, sizeof(scope));
}

int
trace_finish(struct trace *t, struct ir_value *output, const char *name, struct ir_graph **ret, struct err *e)
{
	int r;

	tr_scope(t, "%s", "");
	t->g->output = tr_name(t, output, "%s", name);
	if (t->err.code)
		return err_set(e, t->err.code, "%s", t->err.msg);
	r = unused_drop(t->g, e);
	if (r == 0)
		r = graph_check(t->g, e);
	if (r < 0)
		return r;
	*ret = TAKE(t->g);
	return 0;
}
