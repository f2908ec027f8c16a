/*
 * The arithmetic of int8: how a row of weights becomes whole numbers and one scale.
 *
 *	q[k] = w[k] * smooth[k] / scale        rounded to the nearest whole number, of two the even one
 *
 * q is within -127 .. 127, and two neighbours q[2i] + q[2i + 1] within -128 .. 128. On processors without
 * dot-product instructions (x86 before VNNI) ONNX Runtime adds the products of two neighbours with unsigned activations
 * in 16 bits, which saturate: 255 * 128 does not, so the sums are the same on every processor.
 */
#ifndef ONNX_QUANTIZE_H
#define ONNX_QUANTIZE_H

#include "base/util.h"

#define QUANTIZE_MAX 127

/*
 * The scale of n weights; `smooth` NULL: all 1. `products`: neighbours are bounded too, which rows of a table need not be.
 * Infinite or NaN when a weight is.
 */
float quantize_scale(const float *w, const float *smooth, size_t n, bool products);

/* Rounds x[i] * factor / scale[i]. `ret` may be where x is. */
void quantize_each(const float *x, float factor, const float *scale, size_t n, int8_t *ret);

/* Rounds x[i] / scale. `ret` may be where x is. */
void quantize_all(const float *x, float scale, size_t n, int8_t *ret);

#endif
