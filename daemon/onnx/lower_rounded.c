/*
 * Products with weights in 8 bits, and rows of tables in 8 bits, in ONNX's own ops.
 *
 *	x [tokens, in] -> divided by the channels' factors -> one scale for each token: its largest magnitude / 127
 *	               -> uint8, 128 for 0                 -> MatMulInteger with int8 [in, out] -> int32 [tokens, out]
 *	               -> float32, times the output's scale, times the token's scale
 *
 * The scales are of each token alone, so that no row of a batch changes another's numbers.
 */
#include <float.h>

#include "emit_private.h"
#include "lower.h"
#include "quantize.h"
#include "rounding.h"

#define ZERO 128 /* the uint8 that stands for 0 */

/* The activations as uint8 and the scale of each token: in the scope of the value, since other matrices use them too. */
static void
quantize_emit(struct emit *em, struct known_input *known, const char *x, const char *unsmooth, int64_t width)
{
	static const uint8_t zero = ZERO;
	const struct emit_place back = emit_enter(em, em->nodes, x, false);
	const char *scale, *zeros, *flat;

	flat = emit_op(em, "tokens", "Reshape", x, emit_i64_list(em, -1, width));
	if (unsmooth)
		flat = emit_op(em, "unsmooth", "Mul", flat, unsmooth);
	scale = emit_op(em, "largest", "ReduceMax", emit_op(em, "magnitude", "Abs", flat));
	emit_attr_ints(em, "axes", 1, (const int64_t[]){1});
	emit_attr_int(em, "keepdims", 0);
	scale = emit_op(em, "share", "Mul", scale, emit_f32(em, 1.0 / QUANTIZE_MAX));
	scale = emit_op(em, "step", "Max", scale, emit_f32(em, FLT_MIN));
	zeros = emit_op(em, "zeros", "Expand", emit_table(em, NULL, ELEM_U8, 0, NULL, &zero),
			emit_op(em, "count", "Shape", scale));
	known->quantized = emit_op(em, "quantized", "QuantizeLinear", flat, scale, zeros);
	emit_attr_int(em, "axis", 0);
	known->quantity = emit_op(em, "steps", "Unsqueeze", scale, emit_i64_list(em, 1));
	emit_leave(em, back);
	known->value = x;
	known->nodes = em->nodes;
}

void
lower_linear_rounded(struct emit *em, const struct ir_node *n, const struct emit_rounded *w)
{
	static const uint8_t zero = ZERO;
	const struct ir_value *x = n->in[0];
	const struct shape *out = &n->out->shape;
	const char *in = emit_in(em, x), *product;
	struct known_input *known = emit_known_input(em, w->input);

	if (!known)
		return;
	if (!known->value || strcmp(known->value, in) != 0)
		quantize_emit(em, known, in, w->unsmooth, x->shape.dim[x->shape.rank - 1].num);
	product = emit_op(em, "integers", "MatMulInteger", known->quantized, w->weight,
			  emit_table(em, NULL, ELEM_U8, 0, NULL, &zero));
	product = emit_op(em, "whole", "Cast", product);
	emit_attr_elem(em, "to", ELEM_F32);
	product = emit_op(em, "outputs", "Mul", product, w->scale);
	product = emit_op(em, "product", "Mul", product, known->quantity);
	if (n->n_in == 3)
		product = emit_op(em, "biased", "Add", product, emit_in(em, n->in[2]));
	(void)emit_result(em, "Reshape", product, emit_shape(em, out));
	emit_attr_int(em, "allowzero", 1);
}

void
lower_gather_rounded(struct emit *em, const struct ir_node *n, const struct emit_rounded *w)
{
	const char *ids = emit_in(em, n->in[1]);
	const char *rows = emit_op(em, "whole", "Cast", emit_op(em, "integers", "Gather", w->weight, ids));

	emit_attr_elem(em, "to", ELEM_F32);
	(void)emit_result(em, "Mul", rows, emit_op(em, "scales", "Gather", w->scale, ids));
}
