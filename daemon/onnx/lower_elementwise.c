#include <math.h>

#include "lower.h"

void
lower_direct(struct emit *em, const struct ir_node *n, const char *type)
{
	const char *in[IR_IN_MAX];
	int i;

	for (i = 0; i < n->n_in; i++)
		in[i] = emit_in(em, n->in[i]);
	(void)emit_node(em, "", "", type, in, (size_t)n->n_in);
}

#define DIRECT(name, type)                                          \
	void lower_##name(struct emit *em, const struct ir_node *n) \
	{                                                           \
		lower_direct(em, n, type);                          \
	}

DIRECT(sigmoid, "Sigmoid")
DIRECT(exp, "Exp")
DIRECT(cos, "Cos")
DIRECT(sin, "Sin")
DIRECT(add, "Add")
DIRECT(sub, "Sub")
DIRECT(mul, "Mul")
DIRECT(div, "Div") /* truncates int64, which rounds down for operands >= 0 */
DIRECT(mod, "Mod")
DIRECT(min, "Min")
DIRECT(max, "Max")
DIRECT(equal, "Equal")
DIRECT(less, "Less")
DIRECT(and, "And")
DIRECT(or, "Or")
DIRECT(not, "Not")
DIRECT(where, "Where")

void
lower_cast(struct emit *em, const struct ir_node *n)
{
	(void)emit_result(em, "Cast", emit_in(em, n->in[0]));
	emit_attr_elem(em, "to", n->attr.elem);
}

/*
 * The activations are written in the form that ONNX Runtime's fusions recognise, on the devices that have
 * such a fusion.
 */

void
lower_silu(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]);

	(void)emit_result(em, "Mul", x, emit_op(em, "sigmoid", "Sigmoid", x));
}

void
lower_quick_gelu(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]);
	const char *scaled = emit_op(em, "scaled", "Mul", x, emit_f32(em, 1.702));

	(void)emit_result(em, "Mul", x, emit_op(em, "sigmoid", "Sigmoid", scaled));
}

/*
 * max(x, 0) + log(1 + y) with y = exp(-|x|), and log(1 + y) = 2 atanh(y / (2 + y)). ONNX's Softplus rounds
 * 1 + y before the logarithm; a decay that is computed so is off by up to 1e-4 of itself where it is slow.
 */
void
lower_softplus(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]);
	const char *y = emit_op(em, "exp", "Exp", emit_op(em, "neg", "Neg", emit_op(em, "abs", "Abs", x)));
	const char *part = emit_op(em, "part", "Div", y, emit_op(em, "more", "Add", y, emit_f32(em, 2)));
	const char *half = emit_op(em, "half", "Atanh", part);

	(void)emit_result(em, "Add", emit_op(em, "relu", "Relu", x), emit_op(em, "log", "Add", half, half));
}

/* x * (1 + erf(x / sqrt(2))) * 0.5 */
void
lower_gelu(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]);
	const char *erf_in = emit_op(em, "scaled", "Div", x, emit_f32(em, M_SQRT2));
	const char *grown = emit_op(em, "grown", "Add", emit_op(em, "erf", "Erf", erf_in), emit_f32(em, 1));

	(void)emit_result(em, "Mul", emit_op(em, "double", "Mul", x, grown), emit_f32(em, 0.5));
}

/* 0.5 x * (1 + tanh(sqrt(2/pi) x * (1 + 0.044715 x * x))) */
void
lower_gelu_tanh(struct emit *em, const struct ir_node *n)
{
	const char *x = emit_in(em, n->in[0]);
	const char *square =
		emit_op(em, "square", "Mul", emit_op(em, "cubic", "Mul", x, emit_f32(em, 0.044715)), x);
	const char *factor = emit_op(em, "factor", "Add", square, emit_f32(em, 1));
	const char *linear = emit_op(em, "linear", "Mul", x, emit_f32(em, M_2_SQRTPI * M_SQRT1_2));
	const char *tanh_out = emit_op(em, "tanh", "Tanh", emit_op(em, "inner", "Mul", linear, factor));
	const char *grown = emit_op(em, "grown", "Add", tanh_out, emit_f32(em, 1));

	(void)emit_result(em, "Mul", emit_op(em, "half", "Mul", x, emit_f32(em, 0.5)), grown);
}
