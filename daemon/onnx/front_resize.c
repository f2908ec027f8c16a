/* picture/resize.c as ONNX nodes, for sizes that are known at run time. */
#include <math.h>

#include "base/str.h"
#include "front_private.h"

#define BLOCK 16 /* output samples that are computed together, by one matrix product */

/* The filter at x, float64 of any shape; see resize.c. */
static const char *
bilinear(struct emit *em, const char *x)
{
	x = emit_op(em, "distance", "Abs", x);
	x = emit_op(em, "near", "Sub", front_f64(em, 1), x);
	return emit_op(em, "filter", "Max", x, front_f64(em, 0));
}

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

	em->prefix = emit_format(em, "%s/%s", name, suffix);
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
	[RESIZE_BILINEAR] = {bilinear, 1},
	[RESIZE_BICUBIC] = {bicubic, 2},
	[RESIZE_LANCZOS] = {lanczos, 3},
};

/* One pass: a list of matrices. Each computes BLOCK output samples from the few inputs that they need. */
struct bands {
	const char *index;   /* int64 [blocks, inputs of a block] */
	const char *weights; /* float64 [blocks, BLOCK, inputs of a block]; the weights of an output sum to
                              * 1 */
};

/* The positions of the samples along one axis, float64. */
struct axis {
	const char *inputs, *scale;
	const char *narrow; /* the filter's argument for a distance of one input sample */
	const char *centre; /* [blocks, BLOCK, 1], in input samples; rows after the last output repeat it */
	const char *begin, *end; /* likewise: the range of inputs that the filter covers */
};

/* The number of the first output of each block's rows: 0, 1, ... as float64 [blocks, BLOCK, 1] */
static const char *
outputs_range(struct emit *em, const char *outputs)
{
	const char *count, *x;

	count = emit_op(em, "blocks.1", "Add", outputs, emit_i64(em, BLOCK - 1));
	count = emit_op(em, "blocks", "Div", count, emit_i64(em, BLOCK));
	count = emit_op(em, "rows", "Mul", count, emit_i64(em, BLOCK));
	x = emit_op(em, "range", "Range", emit_i64(em, 0), count, emit_i64(em, 1));
	count = emit_op(em, "last", "Sub", outputs, emit_i64(em, 1));
	x = emit_op(em, "clamped", "Min", x, count);
	x = emit_op(em, "blocked", "Reshape", x, emit_i64_list(em, -1, BLOCK, 1));
	return front_cast(em, "i", x, ELEM_F64);
}

static struct axis
axis_make(struct emit *em, double lobes, const char *inputs, const char *outputs)
{
	const char *half = front_f64(em, 0.5), *wide, *support, *x;
	struct axis a;

	a.inputs = front_cast(em, "inputs", inputs, ELEM_F64);
	a.scale = front_cast(em, "outputs", outputs, ELEM_F64);
	a.scale = emit_op(em, "scale", "Div", a.inputs, a.scale);
	wide = emit_op(em, "wide", "Max", a.scale, front_f64(em, 1));
	support = emit_op(em, "support", "Mul", wide, front_f64(em, lobes));
	a.narrow = emit_op(em, "narrow", "Div", front_f64(em, 1), wide);
	x = outputs_range(em, outputs);
	x = emit_op(em, "i.half", "Add", x, half);
	a.centre = emit_op(em, "centre", "Mul", x, a.scale);
	x = emit_op(em, "begin.1", "Sub", a.centre, support);
	x = emit_op(em, "begin.2", "Add", x, half);
	x = emit_op(em, "begin.3", "Floor", x);
	a.begin = emit_op(em, "begin", "Max", x, front_f64(em, 0));
	x = emit_op(em, "end.1", "Add", a.centre, support);
	x = emit_op(em, "end.2", "Add", x, half);
	x = emit_op(em, "end.3", "Floor", x);
	a.end = emit_op(em, "end", "Min", x, a.inputs);
	return a;
}

/*
 * The inputs of each block, float64 [blocks, 1, inputs of a block]; every block has as many as the largest
 * one needs.
 */
static const char *
inputs_range(struct emit *em, const struct axis *a)
{
	const char *first, *last, *count, *x;

	first = emit_op(em, "first", "Slice", a->begin, emit_i64_list(em, 0), emit_i64_list(em, 1),
			emit_i64_list(em, 1));
	last = emit_op(em, "last", "Slice", a->end, emit_i64_list(em, BLOCK - 1), emit_i64_list(em, BLOCK),
		       emit_i64_list(em, 1));
	count = emit_op(em, "counts", "Sub", last, first);
	count = emit_op(em, "most", "ReduceMax", count);
	emit_attr_int(em, "keepdims", 0);
	count = front_cast(em, "count", count, ELEM_I64);
	x = emit_op(em, "range", "Range", emit_i64(em, 0), count, emit_i64(em, 1));
	x = front_cast(em, "offset", x, ELEM_F64);
	return emit_op(em, "j", "Add", first, x);
}

static struct bands
bands_make(struct emit *em, enum resize_filter filter, const char *inputs, const char *outputs)
{
	const char *j, *x, *begin, *end, *w, *sum, *name = em->prefix;
	struct bands b;
	struct axis a;

	em->prefix = emit_format(em, "%s/output", name);
	a = axis_make(em, filters[filter].support, inputs, outputs);
	em->prefix = emit_format(em, "%s/input", name);
	j = inputs_range(em, &a);
	x = emit_op(em, "inside", "Min", j, emit_op(em, "end", "Sub", a.inputs, front_f64(em, 1)));
	x = front_cast(em, "index.3", x, ELEM_I64);
	b.index = emit_op(em, "index", "Squeeze", x, emit_i64_list(em, 1));
	x = emit_op(em, "from_centre", "Sub", j, a.centre);
	x = emit_op(em, "middle", "Add", x, front_f64(em, 0.5));
	x = emit_op(em, "x", "Mul", x, a.narrow);
	begin = emit_op(em, "not_before", "LessOrEqual", a.begin, j);
	end = emit_op(em, "not_behind", "Less", j, a.end);
	begin = emit_op(em, "below_filter", "And", begin, end);
	em->prefix = name;
	w = filters[filter].emit(em, x);
	w = emit_op(em, "raw", "Where", begin, w, front_f64(em, 0));
	sum = emit_op(em, "sum", "ReduceSum", w, emit_i64_list(em, 2));
	b.weights = emit_op(em, "exact", "Div", w, sum);
	return b;
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

static const char *
i32(struct emit *em, int32_t x)
{
	return emit_table(em, NULL, ELEM_I32, 0, NULL, &x);
}

/* The integer for a weight of 1: the largest power of two that keeps all weights below RESIZE_WEIGHT_MAX. */
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

/* Sums of weights times grey levels, exact in int32. The weights are uint8 and counted from `zero` on. */
static const char *
sums(struct emit *em, const char *name, const char *weights, int zero, const char *x)
{
	const unsigned char z = (unsigned char)zero;
	const char *in[] = {front_cast(em, name, weights, ELEM_U8), x,
			    emit_table(em, NULL, ELEM_U8, 0, NULL, &z)};

	return emit_node(em, emit_format(em, "%s.sums", name), emit_format(em, "%s.sums", name),
			 "MatMulInteger", in, ARRAY_LEN(in));
}

/*
 * The weighted sums as int32 [blocks, BLOCK, others]. A weight has 16 bits, but products of bytes are the
 * fastest exact ones, so the upper and the lower byte of the weights are multiplied separately.
 */
static const char *
products(struct emit *em, const char *w, const char *x)
{
	const char *high, *low, *step = front_f64(em, 256);

	high = emit_op(em, "high.1", "Div", w, step);
	high = emit_op(em, "high.2", "Floor", high);
	low = emit_op(em, "low.1", "Mul", high, step);
	low = emit_op(em, "low.2", "Sub", w, low);
	high = emit_op(em, "high.3", "Add", high, front_f64(em, 128));
	high = sums(em, "high", high, 128, x);
	low = sums(em, "low", low, 0, x);
	high = emit_op(em, "high.sums.256", "Mul", high, i32(em, 256));
	return emit_op(em, "sums", "Add", high, low);
}

/* One pass over the first axis of x uint8 [inputs, others]: uint8 [outputs, others]. */
static const char *
pass(struct emit *em, const char *x, enum resize_filter filter, const char *inputs, const char *outputs)
{
	const struct bands b = bands_make(em, filter, inputs, outputs);
	const char *w = b.weights, *sign, *one, *shape;

	one = unit(em, w);
	sign = emit_op(em, "sign", "Sign", w);
	w = emit_op(em, "size", "Abs", w);
	w = emit_op(em, "scaled", "Mul", w, one);
	w = emit_op(em, "scaled.half", "Add", w, front_f64(em, 0.5));
	w = emit_op(em, "whole", "Floor", w);
	w = emit_op(em, "weights", "Mul", w, sign);
	x = emit_op(em, "bands", "Gather", x, b.index); /* [blocks, inputs of a block, others] */
	x = products(em, w, x);
	one = front_cast(em, "one.i32", one, ELEM_I32);
	x = emit_op(em, "sums.half", "Add", x, emit_op(em, "half", "Div", one, i32(em, 2)));
	x = emit_op(em, "levels", "Div", x, one); /* rounds toward zero, so negative sums become at most 0 */
	x = emit_op(em, "clipped", "Clip", x, i32(em, 0), i32(em, 255));
	x = front_cast(em, "levels.u8", x, ELEM_U8);
	shape = emit_op(em, "shape", "Shape", x);
	shape = emit_op(em, "others", "Slice", shape, emit_i64_list(em, 2), emit_i64_list(em, 3));
	shape = emit_op(em, "flat.shape", "Concat", emit_i64_list(em, -1), shape);
	emit_attr_int(em, "axis", 0);
	x = emit_op(em, "all", "Reshape", x, shape);
	shape = emit_op(em, "end", "Unsqueeze", outputs, emit_i64_list(em, 0));
	return emit_op(em, "out", "Slice", x, emit_i64_list(em, 0), shape);
}

/*
 * [a, b, c] to [b, c, a], as the transpose of a byte matrix: much faster than a transpose of a picture's
 * three axes.
 */
static const char *
turned(struct emit *em, const char *suffix, const char *x)
{
	x = emit_op(em, emit_format(em, "%s.flat", suffix), "Reshape", x, emit_i64_list(em, 0, -1));
	x = emit_op(em, suffix, "Transpose", x);
	emit_attr_ints(em, "perm", 2, (const int64_t[]){1, 0});
	return x;
}

const char *
front_resize(struct emit *em, const char *name, const char *image, enum resize_filter filter,
	     struct front_size from, struct front_size to)
{
	const char *x, *shape;

	front_scope(em, emit_format(em, "%s.across", name));
	x = turned(em, "columns", image); /* [width*3, height] */
	shape = emit_op(em, "width", "Unsqueeze", from.width, emit_i64_list(em, 0));
	shape = emit_op(em, "column.shape", "Concat", shape, emit_i64_list(em, -1));
	emit_attr_int(em, "axis", 0);
	x = emit_op(em, "column", "Reshape", x, shape); /* [width, 3*height] */
	x = pass(em, x, filter, from.width, to.width);
	shape = emit_op(em, "height", "Unsqueeze", from.height, emit_i64_list(em, 0));
	shape = emit_op(em, "row.shape", "Concat", emit_i64_list(em, -1), shape);
	emit_attr_int(em, "axis", 0);
	x = emit_op(em, "row", "Reshape", x, shape); /* [new width*3, height] */
	x = turned(em, "rows", x);
	front_scope(em, emit_format(em, "%s.down", name));
	x = pass(em, x, filter, from.height, to.height);
	return emit_op(em, "colours", "Reshape", x, emit_i64_list(em, 0, -1, 3));
}
