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

/* cos and sin for both halves of a head, with the sign of the first half in the sine. */
static const char *
cosine_make(struct emit *em, const void *value)
{
	const char *x = emit_in(em, value);

	x = emit_op(em, "doubled", "Concat", x, x);
	emit_attr_int(em, "axis", -1);
	return x;
}

static const char *
sine_make(struct emit *em, const void *value)
{
	const char *x = emit_in(em, value), *negative = emit_op(em, "negative", "Neg", x);

	x = emit_op(em, "signed", "Concat", negative, x);
	emit_attr_int(em, "axis", -1);
	return x;
}

/* x*cos + swapped(x)*sine, where the halves of x change places. */
static const char *
rotate(struct emit *em, const struct ir_node *n, const char *x, const char *suffix)
{
	const char *first, *second, *swapped, *by_cos, *cosine, *sine;

	cosine = emit_once(em, n->in[1], "doubled", cosine_make, n->in[1]);
	sine = emit_once(em, n->in[2], "signed", sine_make, n->in[2]);
	first = emit_op(em, "first", "Split", x);
	second = emit_output(em, "second");
	emit_attr_int(em, "axis", -1);
	swapped = emit_op(em, "swapped", "Concat", second, first);
	emit_attr_int(em, "axis", -1);
	by_cos = emit_op(em, "by_cos", "Mul", x, cosine);
	return emit_op(em, suffix, "Add", by_cos, emit_op(em, "by_sin", "Mul", swapped, sine));
}

void
lower_rope(struct emit *em, const struct ir_node *n)
{
	const struct shape *cosine = &n->in[1]->shape;
	const int64_t d = n->in[0]->shape.dim[3].num, r = 2 * cosine->dim[cosine->rank - 1].num;
	const char *x = emit_in(em, n->in[0]), *rotated, *rest;

	if (r == d) {
		(void)rotate(em, n, x, "");
		return;
	}
	rotated = emit_op(em, "rotated_part", "Split", x, emit_i64_list(em, r, d - r));
	rest = emit_output(em, "rest");
	emit_attr_int(em, "axis", -1);
	rotated = rotate(em, n, rotated, "rotated");
	(void)emit_result(em, "Concat", rotated, rest);
	emit_attr_int(em, "axis", -1);
}

void
lower_l2_normalize(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]), *length;

	if (n->attr.f > 0) {
		length = emit_op(em, "square", "Mul", x, x);
		length = emit_op(em, "sum", "ReduceSum", length, emit_i64_list(em, -1));
		length = emit_op(em, "sum_eps", "Add", length, emit_f32(em, n->attr.f));
		length = emit_op(em, "length", "Sqrt", length);
	} else {
		length = emit_op(em, "length", "ReduceL2", x);
		emit_attr_ints(em, "axes", 1, (const int64_t[]){-1});
	}
	(void)emit_result(em, "Div", x, length);
}

void
lower_softmax(struct emit *em, const struct ir_node *n)
{
	(void)emit_result(em, "Softmax", emit_in(em, n->in[0]));
	emit_attr_int(em, "axis", -1);
}

/* A picture of one row: Conv of two axes is quicker than of one on few tokens. */
void
lower_causal_conv(struct emit *em, const struct ir_node *n)
{
	const struct shape *w = &n->in[1]->shape;
	const int64_t channels = w->dim[0].num, taps = w->dim[2].num;
	const char *x, *kernel;

	kernel = emit_op(em, "kernel", "Unsqueeze", emit_in(em, n->in[1]), emit_i64_list(em, 2));
	x = emit_op(em, "row", "Unsqueeze", emit_in(em, n->in[0]), emit_i64_list(em, 1));
	x = emit_op(em, "channels_first", "Transpose", x);
	emit_attr_ints(em, "perm", 4, (const int64_t[]){0, 3, 1, 2});
	x = emit_op(em, "sums", "Conv", x, kernel);
	emit_attr_int(em, "group", channels);
	emit_attr_ints(em, "kernel_shape", 2, (const int64_t[]){1, taps});
	emit_attr_ints(em, "pads", 4, (const int64_t[]){0, taps - 1, 0, 0});
	x = emit_op(em, "channels_last", "Transpose", x);
	emit_attr_ints(em, "perm", 4, (const int64_t[]){0, 2, 3, 1});
	(void)emit_result(em, "Squeeze", x, emit_i64_list(em, 1));
}
