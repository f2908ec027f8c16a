/*
 * Shape rules: compute the symbolic shape of a node's result from its inputs' shapes. They do not use
 * libtorch; the trace compares both at every node.
 */
#include "graph.h"

/* The state of a rule: it reads `n` and changes `elem` and `shape`, which start as those of the first input. */
struct infer {
	const struct ir_node *n;
	enum elem elem;
	struct shape shape;
	struct err *e;
};

static const struct shape *
in_shape(const struct infer *x, int i)
{
	return &x->n->in[i]->shape;
}

static struct dim
last_dim(const struct shape *s)
{
	return s->dim[s->rank - 1];
}

static int
misfit(const struct infer *x, const char *why)
{
	char a[256], b[256] = "";

	if (x->n->n_in)
		(void)shape_str(in_shape(x, 0), a, sizeof(a));
	else
		(void)snprintf(a, sizeof(a), "nothing");
	if (x->n->n_in > 1)
		(void)shape_str(in_shape(x, 1), b, sizeof(b));
	return err_set(x->e, E_TRACE, "%s of %s %s: %s", ir_op_info(x->n->op)->name, a, b, why);
}

static int
infer_same(struct infer *x)
{
	(void)x;
	return 0;
}

static int
infer_linear(struct infer *x)
{
	const struct shape *w = in_shape(x, 1);

	if (x->shape.rank < 1 || w->rank != 2 || !dim_eq(last_dim(&x->shape), w->dim[1]))
		return misfit(x, "the last axis must be the weight's second");
	if (x->n->n_in == 3 && (in_shape(x, 2)->rank != 1 || !dim_eq(in_shape(x, 2)->dim[0], w->dim[0])))
		return misfit(x, "the bias must have the weight's first axis");
	x->shape.dim[x->shape.rank - 1] = w->dim[0];
	return 0;
}

static int
infer_gather(struct infer *x)
{
	const struct shape *table = in_shape(x, 0), *ids = in_shape(x, 1);
	int i;

	if (table->rank < 1 || ids->rank + table->rank - 1 > IR_RANK_MAX || x->n->in[1]->elem != ELEM_I64)
		return misfit(x, "takes a table and whole numbers");
	x->shape = *ids;
	for (i = 1; i < table->rank; i++)
		x->shape.dim[x->shape.rank++] = table->dim[i];
	return 0;
}

static int
infer_rope(struct infer *x)
{
	const struct shape *in = &x->shape, *cosine = in_shape(x, 1);
	const int64_t pairs = cosine->rank ? last_dim(cosine).num : 0;

	if (in->rank != 4 || !dim_is_const(in->dim[3]))
		return misfit(x, "x must be [batch, tokens, heads, width]");
	if (!shape_eq(cosine, in_shape(x, 2)) || cosine->rank < 3 || cosine->rank > 4 ||
	    !dim_is_const(last_dim(cosine)) || 2 * pairs > in->dim[3].num ||
	    !dim_is_one(cosine->dim[cosine->rank - 2]) || !dim_eq(cosine->dim[cosine->rank - 3], in->dim[1]))
		return misfit(x, "cos and sin must be [.., tokens, 1, pairs]");
	return 0;
}

/* The mask is [batch, keys] or, for each query, [batch, queries, keys]. */
static bool
mask_fits(const struct shape *mask, const struct shape *q, const struct shape *k, int64_t kind)
{
	const int rank = mask->rank;

	if (rank < 2 || rank > 3 || !dim_eq(mask->dim[0], q->dim[0]) ||
	    !dim_eq(mask->dim[rank - 1], k->dim[1]))
		return false;
	return rank == 2 ? kind != IR_MASK_CAUSAL || dim_eq(q->dim[1], k->dim[1])
			 : kind != IR_MASK_CAUSAL && dim_eq(mask->dim[1], q->dim[1]);
}

static int
infer_attention(struct infer *x)
{
	const struct shape *q = in_shape(x, 0), *k = in_shape(x, 1), *v = in_shape(x, 2);

	if (q->rank != 4 || k->rank != 4 || !shape_eq(k, v) || !dim_eq(q->dim[0], k->dim[0]) ||
	    !dim_eq(q->dim[3], k->dim[3]))
		return misfit(x, "q, k and v must be [batch, tokens, heads, width]");
	if (!dim_is_const(q->dim[2]) || !dim_is_const(k->dim[2]) || q->dim[2].num % k->dim[2].num)
		return misfit(x, "the heads of k must divide those of q");
	if (x->n->n_in == 3)
		return x->n->attr.i == IR_MASK_FULL ? 0 : misfit(x, "a causal one takes a mask");
	if (x->n->in[3]->elem != ELEM_BOOL || !mask_fits(in_shape(x, 3), q, k, x->n->attr.i))
		return misfit(x, "the mask must be bools [batch, keys], or [batch, queries, keys] that are "
				 "not causal");
	return 0;
}

static int
infer_causal_conv(struct infer *x)
{
	const struct shape *w = in_shape(x, 1);

	if (x->shape.rank != 3 || w->rank != 3 || !dim_eq(w->dim[0], x->shape.dim[2]) ||
	    !dim_is_one(w->dim[1]) || !dim_is_const(w->dim[2]))
		return misfit(x, "takes [batch, tokens, channels] and a weight [channels, 1, taps]");
	return 0;
}

static int
infer_delta_rule(struct infer *x)
{
	const struct shape *q = in_shape(x, 0), *v = in_shape(x, 2), *decay = in_shape(x, 3);
	int i;

	if (q->rank != 4 || v->rank != 4 || !shape_eq(q, in_shape(x, 1)) || !dim_eq(q->dim[0], v->dim[0]) ||
	    !dim_eq(q->dim[1], v->dim[1]))
		return misfit(x, "q, k and v must be [batch, tokens, heads, width], q like k");
	for (i = 2; i < 4; i++)
		if (!dim_is_const(q->dim[i]) || !dim_is_const(v->dim[i]))
			return misfit(x, "heads and widths must be constant");
	if (v->dim[2].num % q->dim[2].num)
		return misfit(x, "the heads of k must divide those of v");
	if (decay->rank != 3 || !shape_eq(decay, in_shape(x, 4)) || !dim_eq(decay->dim[0], v->dim[0]) ||
	    !dim_eq(decay->dim[1], v->dim[1]) || !dim_eq(decay->dim[2], v->dim[2]))
		return misfit(x, "decay and beta must be [batch, tokens, heads of v]");
	x->shape = *v;
	return 0;
}

/* Broadcasts the inputs from `first` on with x->shape, which already covers the inputs before them. */
static int
broadcast(struct infer *x, int first)
{
	const struct shape *b;
	struct dim da, db;
	struct shape s;
	int i, k;

	for (k = first; k < x->n->n_in; k++) {
		b = in_shape(x, k);
		s.rank = MAX(x->shape.rank, b->rank);
		for (i = 0; i < s.rank; i++) {
			da = i < s.rank - x->shape.rank ? dim_const(1)
							: x->shape.dim[i - (s.rank - x->shape.rank)];
			db = i < s.rank - b->rank ? dim_const(1) : b->dim[i - (s.rank - b->rank)];
			if (!dim_eq(da, db) && !dim_is_one(da) && !dim_is_one(db))
				return misfit(x, "the shapes do not broadcast");
			s.dim[i] = dim_is_one(da) ? db : da;
		}
		x->shape = s;
	}
	return 0;
}

static int
infer_broadcast(struct infer *x)
{
	if (x->n->in[1]->elem != x->elem)
		return misfit(x, "the element types differ");
	return broadcast(x, 1);
}

static int
infer_compare(struct infer *x)
{
	int r = infer_broadcast(x);

	x->elem = ELEM_BOOL;
	return r;
}

static int
infer_where(struct infer *x)
{
	if (x->elem != ELEM_BOOL || x->n->in[1]->elem != x->n->in[2]->elem)
		return misfit(x, "takes a condition of bools and two values of one type");
	x->elem = x->n->in[1]->elem;
	return broadcast(x, 1);
}

static int
infer_cast(struct infer *x)
{
	x->elem = x->n->attr.elem;
	return 0;
}

static int
infer_reshape(struct infer *x)
{
	const struct shape *to = &x->n->attr.shape;
	char a[256], b[256];

	if (!dim_eq(shape_count(&x->shape), shape_count(to)))
		return err_set(x->e, E_TRACE, "reshape of %s to %s: the number of elements differs",
			       shape_str(&x->shape, a, sizeof(a)), shape_str(to, b, sizeof(b)));
	x->shape = *to;
	return 0;
}

static int
infer_transpose(struct infer *x)
{
	struct shape from = x->shape;
	unsigned int seen = 0;
	int i, p;

	for (i = 0; i < from.rank; i++) {
		p = x->n->attr.perm[i];
		if (p < 0 || p >= from.rank || seen & 1u << p)
			return misfit(x, "the axes are not a permutation");
		seen |= 1u << p;
		x->shape.dim[i] = from.dim[p];
	}
	return 0;
}

static int
axis_check(const struct infer *x)
{
	if (x->n->attr.axis < 0 || x->n->attr.axis >= x->shape.rank)
		return misfit(x, "the axis does not exist");
	return 0;
}

static int
infer_concat(struct infer *x)
{
	int axis = x->n->attr.axis, k, r = axis_check(x);
	int64_t sum = 0;
	struct shape s;

	for (k = 0; r == 0 && k < x->n->n_in; k++) {
		s = *in_shape(x, k);
		if (s.rank != x->shape.rank || !dim_is_const(s.dim[axis]) || x->n->in[k]->elem != x->elem)
			return misfit(x, "the parts do not fit, or the axis has no constant size");
		sum += s.dim[axis].num;
		s.dim[axis] = x->shape.dim[axis];
		if (!shape_eq(&s, &x->shape))
			return misfit(x, "the parts differ in another axis");
	}
	if (r == 0)
		x->shape.dim[axis] = dim_const(sum);
	return r;
}

static int
infer_slice(struct infer *x)
{
	const struct ir_attr *a = &x->n->attr;
	int r = axis_check(x);

	if (r < 0)
		return r;
	if (!dim_is_const(x->shape.dim[a->axis]) || a->begin < 0 || a->begin >= a->end ||
	    a->end > x->shape.dim[a->axis].num)
		return misfit(x, "the range is not within the axis");
	x->shape.dim[a->axis] = dim_const(a->end - a->begin);
	return 0;
}

static int
infer_size(struct infer *x)
{
	x->elem = ELEM_I64;
	x->shape.rank = 0;
	return x->n->attr.shape.rank == 1 ? 0 : misfit(x, "the shape must have one axis");
}

static int
infer_iota(struct infer *x)
{
	x->elem = ELEM_I64;
	x->shape = x->n->attr.shape;
	return x->shape.rank == 1 ? 0 : misfit(x, "the shape must have one axis");
}

static int
infer_reduce(struct infer *x)
{
	int i, r = axis_check(x);

	if (r < 0)
		return r;
	x->shape.rank--;
	for (i = x->n->attr.axis; i < x->shape.rank; i++)
		x->shape.dim[i] = x->shape.dim[i + 1];
	return 0;
}

static int
infer_any(struct infer *x)
{
	x->shape.rank = 0;
	return x->elem == ELEM_BOOL ? 0 : misfit(x, "takes bools");
}

static int
infer_check(struct infer *x)
{
	return x->elem != ELEM_BOOL && x->n->in[1]->elem == ELEM_BOOL ? 0
								      : misfit(x, "takes numbers and bools");
}

static int
infer_if(struct infer *x)
{
	const struct ir_value *a = x->n->attr.then_block->result, *b = x->n->attr.else_block->result;
	struct shape vectors = a->shape, other = b->shape;

	if (x->elem != ELEM_BOOL || x->shape.rank != 0)
		return misfit(x, "the condition must be one bool");
	if (x->n->attr.i && a->shape.rank > 1 && b->shape.rank > 1)
		vectors.dim[1] = other.dim[1] = dim_symbol(SYM_VECTORS);
	if (a->elem != b->elem || !shape_eq(&vectors, &other))
		return misfit(x, "the branches give different shapes");
	x->elem = a->elem;
	x->shape = vectors;
	return 0;
}

static int (*const rules[])(struct infer *) = {
#define OP(sym, name, min, max, rule, precision, help) infer_##rule,
#include "ops.def"
#undef OP
};

_Static_assert(ARRAY_LEN(rules) == OP_COUNT, "a rule for each op");

int
infer_node(const struct ir_node *n, enum elem *ret_elem, struct shape *ret_shape, struct err *e)
{
	const struct ir_op_info *info = ir_op_info(n->op);
	struct infer x = {.n = n, .e = e};
	int r;

	if (n->n_in < info->in_min || n->n_in > info->in_max)
		return err_set(e, E_TRACE, "%s takes %d to %d inputs, not %d", info->name, info->in_min,
			       info->in_max, n->n_in);
	if (n->n_in) {
		x.elem = n->in[0]->elem;
		x.shape = n->in[0]->shape;
	}
	r = rules[n->op](&x);
	if (r < 0)
		return r;
	*ret_elem = x.elem;
	*ret_shape = x.shape;
	return 0;
}
