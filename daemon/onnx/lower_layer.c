#include <float.h>

#include "lower.h"

void
lower_linear(struct emit *em, const struct ir_node *n)
{
	struct emit_rounded rounded;
	const char *x, *weight, *product;

	if (emit_in_rounded(em, n->in[1], &rounded)) {
		lower_linear_rounded(em, n, &rounded);
		return;
	}
	x = emit_in(em, n->in[0]);
	weight = emit_in_transposed(em, n->in[1]);
	if (n->n_in == 2) {
		(void)emit_result(em, "MatMul", x, weight);
		return;
	}
	product = emit_node(em, "", "product", "MatMul", EMIT_NAMES(x, weight));
	(void)emit_node(em, "bias", "", "Add", EMIT_NAMES(product, emit_in(em, n->in[2])));
}

void
lower_gather(struct emit *em, const struct ir_node *n)
{
	struct emit_rounded rounded;
	const char *table;

	if (emit_in_rounded(em, n->in[0], &rounded)) {
		lower_gather_rounded(em, n, &rounded);
		return;
	}
	table = emit_in_stored(em, n->in[0]);
	if (!table && n->in[0]->kind != IR_WEIGHT) {
		lower_direct(em, n, "Gather"); /* the default axis is 0 */
		return;
	}
	/*
	 * quantize_dynamic() renames the result of a Gather from a weight, but not where a branch uses it.
	 * With another node after the Gather, the name that the branch uses stays.
	 */
	if (!table) {
		table = emit_in(em, n->in[0]);
		(void)emit_result(em, "Identity",
				  emit_op(em, "rows", "Gather", table, emit_in(em, n->in[1])));
		return;
	}
	/* Cast the selected rows, not the whole table. */
	(void)emit_result(em, "Cast", emit_op(em, "rows", "Gather", table, emit_in(em, n->in[1])));
	emit_attr_elem(em, "to", ELEM_F32);
}

/* Written in the form that ONNX Runtime's fusion to SimplifiedLayerNormalization recognises. */
void
lower_rms_norm(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]);
	const char *square = emit_op(em, "square", "Pow", x, emit_f32(em, 2));
	const char *mean = emit_op(em, "mean", "ReduceMean", square);
	const char *rms;

	emit_attr_ints(em, "axes", 1, (const int64_t[]){-1});
	rms = emit_op(em, "rms", "Sqrt", emit_op(em, "mean_eps", "Add", mean, emit_f32(em, n->attr.f)));
	(void)emit_result(em, "Mul", emit_op(em, "unit", "Div", x, rms), emit_in(em, n->in[1]));
}

/*
 * The bias is optional in ONNX, but ONNX Runtime up to 1.18 crashes while it loads a graph with a
 * LayerNormalization that has none: zeros stand for it.
 */
void
lower_layer_norm(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]);
	const char *weight = emit_in(em, n->in[1]);
	const char *bias = n->n_in == 3 ? emit_in(em, n->in[2]) : emit_zeros(em, n->in[1]->shape.dim[0].num);

	(void)emit_result(em, "LayerNormalization", x, weight, bias);
	emit_attr_float(em, "epsilon", n->attr.f); /* the default axis is -1 */
}

/*
 * x*cos + swapped(x)*sine: the two halves are swapped, and the sine already has the sign of the first half.
 */
void
lower_rope(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]);
	const char *first = emit_op(em, "first", "Split", x), *second = emit_output(em, "second");
	const char *swapped, *by_cos;

	emit_attr_int(em, "axis", -1);
	swapped = emit_op(em, "swapped", "Concat", second, first);
	emit_attr_int(em, "axis", -1);
	by_cos = emit_op(em, "by_cos", "Mul", x, emit_in(em, n->in[1]));
	(void)emit_result(em, "Add", by_cos,
			  emit_op(em, "by_sin", "Mul", swapped, emit_in_sine(em, n->in[2])));
}

/* Reshapes: the same elements, divided differently between heads and tokens. */
static const char *
regroup(struct emit *em, const char *suffix, const char *x, int64_t heads)
{
	return emit_op(em, suffix, "Reshape", x, emit_i64_list(em, 0, heads, -1, 0));
}

/*
 * When k has fewer heads than q, the heads of q that share a head of k are joined along the tokens: [b, h,
 * s, d] is reshaped to [b, kv, h/kv * s, d], which moves no data. So k and v are never repeated.
 */
void
lower_attention(struct emit *em, const struct ir_node *n)
{
	int64_t h = n->in[0]->shape.dim[1].num, kv = n->in[1]->shape.dim[1].num;
	const char *q = emit_in(em, n->in[0]), *keys, *x;

	if (h != kv)
		q = regroup(em, "grouped", q, kv);
	q = emit_op(em, "scaled", "Mul", q, emit_f32(em, n->attr.f));
	keys = emit_op(em, "keys", "Transpose", emit_in(em, n->in[1]));
	emit_attr_ints(em, "perm", 4, (const int64_t[]){0, 1, 3, 2});
	x = emit_island(em, emit_op(em, "scores", "MatMul", q, keys));
	if (n->n_in == 4) {
		if (h != kv)
			x = regroup(em, "scores_apart", x, h);
		x = emit_op(em, "biased", "Add", x, emit_in(em, n->in[3]));
	}
	x = emit_op(em, "weights", "Softmax", x);
	emit_attr_int(em, "axis", -1);
	x = emit_island_end(em, x);
	if (h == kv) {
		(void)emit_result(em, "MatMul", x, emit_in(em, n->in[2]));
		return;
	}
	if (n->n_in == 4)
		x = regroup(em, "weights_grouped", x, kv);
	x = emit_op(em, "mixed", "MatMul", x, emit_in(em, n->in[2]));
	(void)regroup(em, "", x, h);
}

void
lower_attention_bias(struct emit *em, const struct ir_node *n)
{
	const char *mask = emit_in(em, n->in[0]);
	const char *axes = n->in[0]->shape.rank == 3 ? emit_i64_list(em, 1) : emit_i64_list(em, 1, 2);
	const char *allowed = emit_op(em, "keys", "Unsqueeze", mask, axes), *col, *row;

	if (n->attr.i == IR_MASK_CAUSAL) {
		col = emit_range(em, "col", n->in[0]->shape.dim[1]);
		row = emit_op(em, "row", "Unsqueeze", col, emit_i64_list(em, 1));
		allowed = emit_op(em, "allowed", "And", allowed,
				  emit_op(em, "past", "GreaterOrEqual", row, col));
	}
	(void)emit_result(em, "Where", allowed, emit_f32(em, 0), emit_f32(em, -FLT_MAX));
}

void
lower_l2_normalize(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]), *length = emit_op(em, "length", "ReduceL2", x);

	emit_attr_ints(em, "axes", 1, (const int64_t[]){-1});
	(void)emit_result(em, "Div", x, length);
}
