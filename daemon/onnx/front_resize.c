/* picture/resize.c as ONNX nodes, for sizes that are known at run time. */
#include <math.h>

#include "base/str.h"
#include "front_private.h"

/* The filter at x, float64 [outputs, inputs]; see resize.c. */
static const char *
bicubic(struct emit *em, const char *x)
{
	const char *near, *far, *is_near, *is_far, *zero = front_f64(em, 0);

	x = emit_op(em, "distance", "Abs", x);
	near = emit_op(em, "near.1", "Mul", x, front_f64(em, 1.5));
	near = emit_op(em, "near.2", "Sub", near, front_f64(em, 2.5));
	near = emit_op(em, "near.3", "Mul", near, x);
	near = emit_op(em, "near.4", "Mul", near, x);
	near = emit_op(em, "near", "Add", near, front_f64(em, 1));
	far = emit_op(em, "far.1", "Sub", x, front_f64(em, 5));
	far = emit_op(em, "far.2", "Mul", far, x);
	far = emit_op(em, "far.3", "Add", far, front_f64(em, 8));
	far = emit_op(em, "far.4", "Mul", far, x);
	far = emit_op(em, "far.5", "Sub", far, front_f64(em, 4));
	far = emit_op(em, "far", "Mul", far, front_f64(em, -0.5));
	is_near = emit_op(em, "is_near", "Less", x, front_f64(em, 1));
	is_far = emit_op(em, "is_far", "Less", x, front_f64(em, 2));
	far = emit_op(em, "far_or_zero", "Where", is_far, far, zero);
	return emit_op(em, "filter", "Where", is_near, near, far);
}

static const char *
sinc(struct emit *em, const char *suffix, const char *x)
{
	const char *angle, *y, *is_zero, *name = em->prefix;

	em->prefix = emit_take_str(em, "%s/%s", name, suffix);
	angle = emit_op(em, "angle", "Mul", x, front_f64(em, M_PI));
	y = emit_op(em, "sin", "Sin", angle);
	y = emit_op(em, "quotient", "Div", y, angle);
	is_zero = emit_op(em, "is_zero", "Equal", x, front_f64(em, 0));
	y = emit_op(em, "value", "Where", is_zero, front_f64(em, 1), y);
	em->prefix = name;
	return y;
}

static const char *
lanczos(struct emit *em, const char *x)
{
	const char *y, *third, *low, *high;

	third = emit_op(em, "third", "Div", x, front_f64(em, 3));
	y = sinc(em, "sinc", x);
	third = sinc(em, "sinc3", third);
	y = emit_op(em, "product", "Mul", y, third);
	low = emit_op(em, "above_low", "LessOrEqual", front_f64(em, -3), x);
	high = emit_op(em, "below_high", "Less", x, front_f64(em, 3));
	low = emit_op(em, "in_lobes", "And", low, high);
	return emit_op(em, "filter", "Where", low, y, front_f64(em, 0));
}

static const struct {
	const char *(*emit)(struct emit *em, const char *x);
	double support;
} filters[] = {
	[RESIZE_BICUBIC] = {bicubic, 2},
	[RESIZE_LANCZOS] = {lanczos, 3},
};

/* 0, 1, ... as float64 */
static const char *
range(struct emit *em, const char *suffix, const char *count)
{
	const char *x = emit_op(em, "range", "Range", emit_i64(em, 0), count, emit_i64(em, 1));

	return front_cast(em, suffix, x, ELEM_F64);
}

/* The weights float64 [outputs, inputs], each row of which sums to 1. */
static const char *
exact_weights(struct emit *em, enum resize_filter filter, const char *inputs, const char *outputs)
{
	const char *n, *scale, *wide, *support, *centre, *j, *x, *begin, *end, *w, *sum, *zero;
	const char *half = front_f64(em, 0.5), *name = em->prefix;

	zero = front_f64(em, 0);
	n = front_cast(em, "inputs", inputs, ELEM_F64);
	scale = front_cast(em, "outputs", outputs, ELEM_F64);
	scale = emit_op(em, "scale", "Div", n, scale);
	wide = emit_op(em, "wide", "Max", scale, front_f64(em, 1));
	support = emit_op(em, "support", "Mul", wide, front_f64(em, filters[filter].support));
	em->prefix = emit_take_str(em, "%s/output", name);
	centre = range(em, "i", outputs);
	centre = emit_op(em, "i.half", "Add", centre, half);
	centre = emit_op(em, "centre", "Mul", centre, scale);
	centre = emit_op(em, "column", "Unsqueeze", centre, emit_i64_list(em, 1)); /* [outputs, 1] */
	begin = emit_op(em, "begin.1", "Sub", centre, support);
	begin = emit_op(em, "begin.2", "Add", begin, half);
	begin = emit_op(em, "begin.3", "Floor", begin);
	begin = emit_op(em, "begin", "Max", begin, zero);
	end = emit_op(em, "end.1", "Add", centre, support);
	end = emit_op(em, "end.2", "Add", end, half);
	end = emit_op(em, "end.3", "Floor", end);
	end = emit_op(em, "end", "Min", end, n);
	em->prefix = emit_take_str(em, "%s/input", name);
	j = range(em, "j", inputs); /* [inputs] */
	x = emit_op(em, "from_centre", "Sub", j, centre);
	x = emit_op(em, "middle", "Add", x, half);
	wide = emit_op(em, "narrow", "Div", front_f64(em, 1), wide);
	x = emit_op(em, "x", "Mul", x, wide); /* [outputs, inputs] */
	begin = emit_op(em, "not_before", "LessOrEqual", begin, j);
	end = emit_op(em, "not_behind", "Less", j, end);
	begin = emit_op(em, "below_filter", "And", begin, end);
	em->prefix = name;
	w = filters[filter].emit(em, x);
	w = emit_op(em, "raw", "Where", begin, w, zero);
	sum = emit_op(em, "sum", "ReduceSum", w, emit_i64_list(em, 1));
	return emit_op(em, "exact", "Div", w, sum);
}

/* 2^0, 2^1, ... */
static const char *
powers(struct emit *em, int first, int last)
{
	double p[RESIZE_BITS_MAX + 1];
	const int64_t dims[] = {last - first + 1};
	int i;

	for (i = first; i <= last; i++)
		p[i - first] = ldexp(1, i);
	return emit_table(em, NULL, ELEM_F64, 1, dims, p);
}

/* What a weight of 1 becomes: the largest power of two with which all weights stay below RESIZE_WEIGHT_MAX. */
static const char *
unit(struct emit *em, const char *w)
{
	const char *x;

	x = emit_op(em, "largest", "ReduceMax", w);
	emit_attr_int(em, "keepdims", 0);
	x = emit_op(em, "by_bits", "Mul", x, powers(em, 1, RESIZE_BITS_MAX));
	x = emit_op(em, "by_bits.half", "Add", x, front_f64(em, 0.5));
	x = emit_op(em, "fits", "Less", x, front_f64(em, RESIZE_WEIGHT_MAX));
	x = front_cast(em, "fits.i64", x, ELEM_I64);
	x = emit_op(em, "bits", "ReduceSum", x);
	emit_attr_int(em, "keepdims", 0);
	return emit_op(em, "one", "Gather", powers(em, 0, RESIZE_BITS_MAX), x);
}

/* One pass over the first axis of x float64 [inputs, others]: whole grey levels [outputs, others]. */
static const char *
pass(struct emit *em, const char *x, enum resize_filter filter, const char *inputs, const char *outputs)
{
	const char *w, *sign, *one, *half;

	w = exact_weights(em, filter, inputs, outputs);
	one = unit(em, w);
	sign = emit_op(em, "sign", "Sign", w);
	w = emit_op(em, "size", "Abs", w);
	w = emit_op(em, "scaled", "Mul", w, one);
	w = emit_op(em, "scaled.half", "Add", w, front_f64(em, 0.5));
	w = emit_op(em, "whole", "Floor", w);
	w = emit_op(em, "weights", "Mul", w, sign);
	x = emit_op(em, "sums", "MatMul", w, x);
	half = emit_op(em, "half", "Mul", one, front_f64(em, 0.5));
	x = emit_op(em, "sums.half", "Add", x, half);
	x = emit_op(em, "levels", "Div", x, one);
	x = emit_op(em, "floor", "Floor", x);
	x = emit_op(em, "above", "Max", x, front_f64(em, 0));
	return emit_op(em, "out", "Min", x, front_f64(em, 255));
}

/* [a, b, 3] to [b, a, 3] */
static const char *
turned(struct emit *em, const char *suffix, const char *x)
{
	x = emit_op(em, suffix, "Transpose", x);
	emit_attr_ints(em, "perm", 3, (const int64_t[]){1, 0, 2});
	return x;
}

const char *
front_resize(struct emit *em, const char *name, const char *image, enum resize_filter filter,
	     struct front_size from, struct front_size to)
{
	const char *x;

	front_scope(em, emit_take_str(em, "%s.across", name));
	x = turned(em, "columns", image);
	x = emit_op(em, "flat", "Reshape", x, emit_i64_list(em, 0, -1)); /* [width, height*3] */
	x = front_cast(em, "in", x, ELEM_F64);
	x = pass(em, x, filter, from.width, to.width);
	x = emit_op(em, "colours", "Reshape", x, emit_i64_list(em, 0, -1, 3));
	x = turned(em, "rows", x); /* [height, new width, 3] */
	front_scope(em, emit_take_str(em, "%s.down", name));
	x = emit_op(em, "flat", "Reshape", x, emit_i64_list(em, 0, -1));
	x = pass(em, x, filter, from.height, to.height);
	return emit_op(em, "colours", "Reshape", x, emit_i64_list(em, 0, -1, 3));
}
