#include "lower.h"

/*
 * Whether inserting axes of size 1 into `small` gives `big`. `axes` receives their places in `big`.
 * Such reshapes need no arithmetic on sizes, and are right for empty tensors too.
 */
static bool
axes_put_in(const struct shape *small, const struct shape *big, int64_t *axes, size_t *ret_n)
{
	int i, k = 0;

	*ret_n = 0;
	for (i = 0; i < big->rank; i++) {
		if (k < small->rank && dim_eq(big->dim[i], small->dim[k]))
			k++;
		else if (dim_is_one(big->dim[i]))
			axes[(*ret_n)++] = i;
		else
			return false;
	}
	return k == small->rank && *ret_n > 0;
}

static bool
is_symbol(struct dim d)
{
	int s;

	for (s = 0; s < SYM_MAX; s++)
		if (dim_eq(d, dim_symbol((enum symbol)s)))
			return true;
	return false;
}

/*
 * Makes the target of a Reshape: 0 for a size that stays in its position, a number for a constant size, and
 * -1 for one of the others, preferably a product. Returns the number of other sizes that are left.
 */
static int
target_make(const struct shape *from, const struct shape *to, int64_t *target)
{
	int i, rest = 0, inferred = -1;

	for (i = 0; i < to->rank; i++) {
		if (dim_is_const(to->dim[i])) {
			target[i] = to->dim[i].num;
		} else if (i < from->rank && dim_eq(from->dim[i], to->dim[i])) {
			target[i] = 0;
		} else {
			target[i] = INT64_MIN;
			if (inferred < 0 || !is_symbol(to->dim[i]))
				inferred = i;
			rest++;
		}
	}
	if (inferred < 0)
		return 0;
	target[inferred] = -1;
	return rest - 1;
}

/* Computes at run time a target that has more than one unknown size. */
static const char *
target_compute(struct emit *em, const struct shape *to, const int64_t *target)
{
	const char *part[IR_RANK_MAX], *shape;
	int i;

	for (i = 0; i < to->rank; i++)
		part[i] = target[i] == INT64_MIN ? emit_dim(em, to->dim[i]) : emit_i64s(em, 1, &target[i]);
	shape = emit_node(em, "shape", "shape", "Concat", part, (size_t)to->rank);
	emit_attr_int(em, "axis", 0);
	return shape;
}

void
lower_reshape(struct emit *em, const struct ir_node *n)
{
	const struct shape *from = &n->in[0]->shape, *to = &n->out->shape;
	const char *x = emit_in(em, n->in[0]), *shape;
	int64_t list[IR_RANK_MAX];
	size_t n_axes;

	if (axes_put_in(from, to, list, &n_axes)) {
		(void)emit_result(em, "Unsqueeze", x, emit_i64s(em, n_axes, list));
	} else if (axes_put_in(to, from, list, &n_axes)) {
		(void)emit_result(em, "Squeeze", x, emit_i64s(em, n_axes, list));
	} else {
		shape = target_make(from, to, list) ? target_compute(em, to, list)
						    : emit_i64s(em, (size_t)to->rank, list);
		(void)emit_result(em, "Reshape", x, shape);
	}
}

void
lower_transpose(struct emit *em, const struct ir_node *n)
{
	int64_t perm[IR_RANK_MAX];
	int i, rank = n->in[0]->shape.rank;

	for (i = 0; i < rank; i++)
		perm[i] = n->attr.perm[i];
	lower_direct(em, n, "Transpose");
	emit_attr_ints(em, "perm", (size_t)rank, perm);
}

void
lower_concat(struct emit *em, const struct ir_node *n)
{
	lower_direct(em, n, "Concat");
	emit_attr_int(em, "axis", n->attr.axis);
}

void
lower_slice(struct emit *em, const struct ir_node *n)
{
	(void)emit_result(em, "Slice", emit_in(em, n->in[0]), emit_i64_list(em, n->attr.begin),
			  emit_i64_list(em, n->attr.end), emit_i64_list(em, n->attr.axis));
}

void
lower_size(struct emit *em, const struct ir_node *n)
{
	(void)emit_result(em, "Squeeze", emit_dim(em, n->attr.shape.dim[0]), emit_i64_list(em, 0));
}

void
lower_iota(struct emit *em, const struct ir_node *n)
{
	(void)emit_range(em, "", n->attr.shape.dim[0]);
}

void
lower_cumsum(struct emit *em, const struct ir_node *n)
{
	(void)emit_result(em, "CumSum", emit_in(em, n->in[0]), emit_i64(em, n->attr.axis));
}

void
lower_sum(struct emit *em, const struct ir_node *n)
{
	(void)emit_result(em, "ReduceSum", emit_in(em, n->in[0]), emit_i64_list(em, n->attr.axis));
	emit_attr_int(em, "keepdims", 0);
}

/*
 * Adds one element in front and removes one at the end. Not done with a single Pad: ONNX Runtime 1.21
 * computes that wrongly for an axis with one element.
 */
void
lower_shift(struct emit *em, const struct ir_node *n)
{
	int64_t pads[2 * IR_RANK_MAX] = {0};
	int axis = n->attr.axis, rank = n->in[0]->shape.rank;
	const char *padded;

	pads[axis] = 1;
	padded = emit_op(em, "padded", "Pad", emit_in(em, n->in[0]), emit_i64s(em, 2 * (size_t)rank, pads));
	(void)emit_result(em, "Slice", padded, emit_i64_list(em, 0), emit_i64_list(em, -1),
			  emit_i64_list(em, axis));
}

/* Computed as sum > 0, which also works for an empty tensor. */
void
lower_any(struct emit *em, const struct ir_node *n)
{
	const char *ones = emit_op(em, "ones", "Cast", emit_in(em, n->in[0])), *count;

	emit_attr_elem(em, "to", ELEM_I64);
	count = emit_op(em, "count", "ReduceSum", ones);
	emit_attr_int(em, "keepdims", 0);
	(void)emit_result(em, "Cast", count);
	emit_attr_elem(em, "to", ELEM_BOOL);
}

/*
 * Computes x + 0 in a way that fails when something is wrong. The 0 is the sum of a Concat that joins a
 * column of one row and a column of 1 + wrong rows, so it succeeds only when nothing is wrong. Every
 * runtime compares the two shapes, on every device and in every run, and its error has the node's name.
 * Other ways are less reliable: on CUDA, a Gather beyond its table gives zeros; OpenVINO compares a
 * Reshape's target only when it differs from the last run's, so a call can pass that failed before.
 */
const char *
lower_fail(struct emit *em, const char *wrong)
{
	static const int64_t one_by_one[] = {1, 1}, zero[] = {0};
	const char *row = emit_table(em, NULL, ELEM_I64, 2, one_by_one, zero);
	const char *rows, *nothing;

	rows = emit_op(em, "wrong", "Cast", wrong);
	emit_attr_elem(em, "to", ELEM_I64);
	rows = emit_op(em, "count", "ReduceSum", rows);
	emit_attr_int(em, "keepdims", 0);
	rows = emit_op(em, "rows", "Add", rows, emit_i64(em, 1));
	rows = emit_op(em, "range", "Range", emit_i64(em, 0), rows, emit_i64(em, 1));
	rows = emit_op(em, "column", "Unsqueeze", rows, emit_i64_list(em, 1));
	nothing = emit_op(em, "joined", "Concat", rows, row);
	emit_attr_int(em, "axis", 1);
	nothing = emit_op(em, "nothing", "ReduceSum", nothing);
	emit_attr_int(em, "keepdims", 0);
	return nothing;
}

void
lower_check(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]), *nothing = lower_fail(em, emit_in(em, n->in[1]));

	if (n->out->elem != ELEM_I64) {
		nothing = emit_op(em, "zero", "Cast", nothing);
		emit_attr_elem(em, "to", n->out->elem);
	}
	(void)emit_result(em, "Add", x, nothing);
}
