#include "eval.h"

#include "checkpoint/checkpoint.h"

struct eval {
	const struct ir_graph *g;
	enum tt_device device;
	struct sizes sizes;
	struct tt **tensor; /* by value id: inputs, and results that exist now */
	size_t n_tensor;
	uint32_t *left; /* by value id: remaining uses; NULL while a trace grows */
	size_t next;    /* node of the main block to compute next */
};

static int (*const shims[OP_COUNT])(const struct tt_args *, struct tt **, struct err *) = {
#define OP(sym, name, ...) [OP_##sym] = tt_##name,
#define OP_CONTROL(...)
#include "graph/ops.def"
#undef OP
};

_Static_assert(TT_IN_MAX == IR_IN_MAX, "an op has as many inputs in libtorch");

int
eval_new(const struct ir_graph *g, enum tt_device device, const struct sizes *sizes, struct eval **ret,
	 struct err *e)
{
	struct eval *ev = calloc(1, sizeof(*ev));

	if (!ev)
		return err_no_memory(e);
	ev->g = g;
	ev->device = device;
	ev->sizes = *sizes;
	*ret = ev;
	return 0;
}

void
eval_free(struct eval **ev)
{
	size_t i;

	if (!*ev)
		return;
	for (i = 0; i < (*ev)->n_tensor; i++)
		tt_free(&(*ev)->tensor[i]);
	free((*ev)->tensor);
	free((*ev)->left);
	free(*ev);
	*ev = NULL;
}

static int
concrete(const struct eval *ev, const struct shape *s, struct tt_shape *ret, const char *name, struct err *e)
{
	char text[256];
	int i;

	ret->rank = s->rank;
	for (i = 0; i < s->rank; i++) {
		ret->dim[i] = dim_eval(s->dim[i], &ev->sizes);
		if (ret->dim[i] < 0)
			return err_set(e, E_TRACE,
				       "'%s': the shape %s does not come out whole with these inputs", name,
				       shape_str(s, text, sizeof(text)));
	}
	return 0;
}

/* Stores the tensor of a value, in an array that grows with the graph. */
static int
tensor_put(struct eval *ev, const struct ir_value *v, struct tt *t, struct err *e)
{
	size_t n = MAX((size_t)v->id + 1, ev->g->n_value);
	struct tt **p;

	if (n > ev->n_tensor) {
		n *= 2;
		p = realloc(ev->tensor, n * sizeof(*p));
		if (!p) {
			tt_free(&t);
			return err_no_memory(e);
		}
		memset(p + ev->n_tensor, 0, (n - ev->n_tensor) * sizeof(*p));
		ev->tensor = p;
		ev->n_tensor = n;
	}
	tt_free(&ev->tensor[v->id]);
	ev->tensor[v->id] = t;
	return 0;
}

int
eval_feed(struct eval *ev, const struct ir_value *input, const void *data, struct err *e)
{
	struct tt_shape shape;
	struct tt *t;
	int r;

	r = concrete(ev, &input->shape, &shape, input->name, e);
	if (r == 0)
		r = tt_over(input->elem, &shape, data, ev->device, &t, e);
	return r < 0 ? r : tensor_put(ev, input, t, e);
}

/* Puts a weight together of its base and an adapter, or of a stack's parts. The tensor owns the numbers. */
static int
merged_make(const struct eval *ev, const struct weight *w, const struct tt_shape *shape, struct tt **ret,
	    struct err *e)
{
	const size_t n = (size_t)w->tensor->count;
	_cleanup_free_ float *data = malloc(n * sizeof(*data));
	int r;

	if (!data)
		return err_set(e, E_NO_MEMORY, "memory ran out merging '%s'", w->name);
	r = weight_read(w, ELEM_F32, 0, n, data, e);
	return r < 0 ? r : tt_over_take(ELEM_F32, shape, TAKE(data), ev->device, ret, e);
}

static int
float_make(struct tt **t, struct err *e)
{
	struct tt *made = NULL;
	int r = tt_cast(&(struct tt_args){.n_in = 1, .in = {*t}, .dtype = ELEM_F32}, &made, e);

	if (r < 0)
		return r;
	tt_free(t);
	*t = made;
	return 0;
}

/* Makes a tensor of a weight or a constant, which the caller frees after the node. */
static int
constant_make(const struct eval *ev, const struct ir_value *v, struct tt **ret, struct err *e)
{
	_cleanup_(tt_free) struct tt *stored = NULL;
	enum elem dtype = v->weight ? v->weight->tensor->dtype : v->elem;
	const void *data = v->weight ? v->weight->tensor->data : v->data;
	struct tt_shape shape;
	int r;

	r = concrete(ev, &v->shape, &shape, v->name, e);
	if (r == 0 && v->weight && (v->weight->delta || v->weight->stack) && ev->device != TT_META)
		r = merged_make(ev, v->weight, &shape, &stored, e);
	else if (r == 0)
		r = tt_over(dtype, &shape, data, ev->device, &stored, e);
	if (r == 0 && v->weight &&
	    dtype == ELEM_F64) /* weights are computed with in float32, however they are stored */
		r = float_make(&stored, e);
	if (r < 0)
		return r;
	if (v->transform == IR_PLUS_ONE)
		return tt_plus_one(stored, ret, e);
	*ret = TAKE(stored);
	return 0;
}

static int
shape_compare(const struct eval *ev, const struct ir_value *v, const struct tt *t, struct err *e)
{
	struct tt_shape got = tt_shape_get(t), want;
	char text[256];
	int i, r;

	r = concrete(ev, &v->shape, &want, v->name, e);
	if (r < 0)
		return r;
	for (i = 0; got.rank == want.rank && i < want.rank; i++)
		if (got.dim[i] != want.dim[i])
			break;
	if (got.rank != want.rank || i < want.rank)
		return err_set(e, E_TRACE,
			       "'%s' (%s): libtorch's result has another shape than %s: %d axes against %d, "
			       "the first to "
			       "differ is %d",
			       v->name, ir_op_info(v->node->op)->name,
			       shape_str(&v->shape, text, sizeof(text)), got.rank, want.rank, i);
	return 0;
}

static int block_run(struct eval *ev, const struct ir_block *b, struct err *e);

static void
use_done(struct eval *ev, const struct ir_value *v)
{
	if (ev->left && ev->left[v->id] && --ev->left[v->id] == 0 && v->id < ev->n_tensor)
		tt_free(&ev->tensor[v->id]);
}

/* Runs the branch that the condition chooses; its result becomes the result of the node. */
static int
if_run(struct eval *ev, const struct ir_node *n, struct tt **ret, struct err *e)
{
	const struct ir_block *b = n->attr.then_block;
	const struct ir_value *result;
	bool taken = true;
	int r;

	if (ev->device == TT_META) { /* both branches were computed when they were recorded */
		struct tt_shape shape;

		r = concrete(ev, &n->out->shape, &shape, n->name, e);
		return r < 0 ? r : tt_over(n->out->elem, &shape, NULL, TT_META, ret, e);
	}
	r = tt_read(ev->tensor[n->in[0]->id], &taken, sizeof(taken), e);
	if (r < 0)
		return r;
	if (!taken)
		b = n->attr.else_block;
	r = block_run(ev, b, e);
	if (r < 0)
		return r;
	result = b->result;
	if (result->kind == IR_WEIGHT || result->kind == IR_CONST)
		return constant_make(ev, result, ret, e);
	r = tt_cast(&(struct tt_args){.n_in = 1, .in = {ev->tensor[result->id]}, .dtype = result->elem}, ret,
		    e);
	use_done(ev, result);
	return r;
}

bool
eval_is_stored(const struct ir_value *v)
{
	return v->kind == IR_WEIGHT || v->kind == IR_CONST;
}

int
eval_stored_make(const struct eval *ev, const struct ir_node *n, struct tt *ret[IR_IN_MAX], struct err *e)
{
	int i, r = 0;

	for (i = 0; i < n->n_in && r == 0; i++)
		if (eval_is_stored(n->in[i]))
			r = constant_make(ev, n->in[i], &ret[i], e);
	return r < 0 ? err_context(e, "'%s'", n->name) : 0;
}

void
eval_stored_free(struct tt *made[IR_IN_MAX])
{
	int i;

	for (i = 0; i < IR_IN_MAX; i++)
		tt_free(&made[i]);
}

/* The size `vectors` is that of the first result that has it. */
static void
vectors_bind(struct eval *ev, const struct ir_value *v, const struct tt *t)
{
	const struct tt_shape got = tt_shape_get(t);

	if (ev->device != TT_META && v->shape.rank > 1 && got.rank > 1 && !ev->sizes.of[SYM_VECTORS] &&
	    dim_eq(v->shape.dim[1], dim_symbol(SYM_VECTORS)))
		ev->sizes.of[SYM_VECTORS] = got.dim[1];
}

const struct sizes *
eval_sizes(const struct eval *ev)
{
	return &ev->sizes;
}

/* Stores the result of a node, once it has the shape that was recorded, and frees the inputs that it was the last to use. */
static int
result_put(struct eval *ev, const struct ir_node *n, struct tt *out, struct err *e)
{
	int i, r;

	vectors_bind(ev, n->out, out);
	r = shape_compare(ev, n->out, out, e);
	if (r < 0) {
		tt_free(&out);
		return err_context(e, "'%s'", n->name);
	}
	r = tensor_put(ev, n->out, out, e);
	for (i = 0; i < n->n_in; i++)
		use_done(ev, n->in[i]);
	return r;
}

static int
node_compute(struct eval *ev, const struct ir_node *n, struct tt *const made[IR_IN_MAX], struct err *e)
{
	struct tt_args a = {.n_in = n->n_in,
			    .f = n->attr.f,
			    .i = n->attr.i,
			    .axis = n->attr.axis,
			    .begin = n->attr.begin,
			    .end = n->attr.end,
			    .dtype = n->attr.elem,
			    .device = ev->device};
	struct tt *out = NULL;
	int i, r;

	r = concrete(ev, &n->attr.shape, &a.shape, n->name, e);
	memcpy(a.perm, n->attr.perm, sizeof(n->attr.perm));
	for (i = 0; i < n->n_in; i++)
		a.in[i] = made[i] ? made[i] : ev->tensor[n->in[i]->id];
	if (r == 0)
		r = shims[n->op] ? shims[n->op](&a, &out, e) : if_run(ev, n, &out, e);
	return r < 0 ? err_context(e, "'%s'", n->name) : result_put(ev, n, out, e);
}

int
eval_node(struct eval *ev, const struct ir_node *n, struct err *e)
{
	struct tt *made[IR_IN_MAX] = {NULL};
	int r;

	r = eval_stored_make(ev, n, made, e);
	if (r == 0)
		r = node_compute(ev, n, made, e);
	eval_stored_free(made);
	return r;
}

static int
block_run(struct eval *ev, const struct ir_block *b, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < b->n; i++)
		r = eval_node(ev, b->node[i], e);
	return r;
}

/*
 * Counts the uses of each value. Values that only the branch not taken would use are never freed early; they
 * are few.
 */
static void
uses_count(const struct ir_block *b, uint32_t *left)
{
	const struct ir_node *n;
	size_t i;
	int k;

	for (i = 0; i < b->n; i++) {
		n = b->node[i];
		for (k = 0; k < n->n_in; k++)
			left[n->in[k]->id]++;
		if (n->op != OP_IF)
			continue;
		uses_count(n->attr.then_block, left);
		uses_count(n->attr.else_block, left);
	}
	if (b->result)
		left[b->result->id]++;
}

int
eval_begin(struct eval *ev, struct err *e)
{
	size_t i;

	ev->left = calloc(ev->g->n_value, sizeof(*ev->left));
	if (!ev->left)
		return err_no_memory(e);
	uses_count(&ev->g->block, ev->left);
	for (i = 0; graph_output(ev->g, i); i++)
		ev->left[graph_output(ev->g, i)->id]++;
	return 0;
}

size_t
eval_nodes_left(const struct eval *ev)
{
	return ev->g->block.n - ev->next;
}

const struct ir_node *
eval_next(const struct eval *ev)
{
	return eval_nodes_left(ev) ? ev->g->block.node[ev->next] : NULL;
}

const struct tt *
eval_input(const struct eval *ev, int i)
{
	return ev->tensor[eval_next(ev)->in[i]->id];
}

int
eval_step(struct eval *ev, struct tt *const made[IR_IN_MAX], struct err *e)
{
	return node_compute(ev, ev->g->block.node[ev->next++], made, e);
}

int
eval_step_take(struct eval *ev, struct tt *result, struct err *e)
{
	return result_put(ev, ev->g->block.node[ev->next++], result, e);
}

int
eval_run(struct eval *ev, struct err *e)
{
	int r = eval_begin(ev, e);

	return r < 0 ? r : block_run(ev, &ev->g->block, e);
}

int
eval_read(const struct eval *ev, const struct ir_value *v, void *ret, size_t len, struct err *e)
{
	if (v->id >= ev->n_tensor || !ev->tensor[v->id])
		return err_set(e, E_INTERNAL, "'%s' was not computed", v->name);
	return tt_read(ev->tensor[v->id], ret, len, e);
}
