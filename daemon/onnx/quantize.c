#include "quantize.h"

#include <float.h>
#include <math.h>

#define LANES 16 /* maxima that do not wait for each other */
#define BLOCK 256

/* Adding this and taking it away rounds a float of at most 2^22 to a whole number, ties to even. */
#define WHOLE 12582912.0f

static float
larger(float a, float b)
{
	return a > b ? a : b;
}

/* Raises top[j] to the magnitudes of v[j] and of the sums of neighbours. */
static void
lanes_raise(float top[restrict LANES], const float v[restrict LANES], bool products)
{
	size_t j;

	for (j = 0; j < LANES; j++)
		top[j] = larger(fabsf(v[j]), top[j]);
	for (j = 0; products && j < LANES / 2; j++)
		top[j] = larger(fabsf(v[2 * j] + v[2 * j + 1]), top[j]);
}

_wide_ float
quantize_scale(const float *w, const float *smooth, size_t n, bool products)
{
	float top[LANES] = {0}, v[LANES], most = 0, bad = 0;
	size_t k, j, len;

	for (k = 0; k < n; k += LANES) {
		len = MIN(LANES, n - k);
		if (len < LANES)
			memset(v, 0, sizeof(v));
		for (j = 0; j < len; j++)
			v[j] = smooth ? w[k + j] * smooth[k + j] : w[k + j];
		for (j = 0; j < len; j++)
			bad += v[j] * 0.0f; /* NaN when v[j] is not finite, which a maximum would not tell */
		lanes_raise(top, v, products);
	}
	for (j = 0; j < LANES; j++)
		most = larger(top[j], most);
	return larger(most / QUANTIZE_MAX, FLT_MIN) + bad; /* weights of zero have a scale too */
}

static float
whole(float x)
{
	x = x > QUANTIZE_MAX ? QUANTIZE_MAX : x < -QUANTIZE_MAX ? -QUANTIZE_MAX : x;
	return (x + WHOLE) - WHOLE;
}

_wide_ void
quantize_each(const float *x, float factor, const float *scale, size_t n, int8_t *ret)
{
	float v[BLOCK];
	size_t i, j, len;

	for (i = 0; i < n; i += len) {
		len = MIN(BLOCK, n - i);
		memcpy(v, x + i, len * sizeof(*v));
		for (j = 0; j < len; j++)
			ret[i + j] = (int8_t)whole(v[j] * factor / scale[i + j]);
	}
}

_wide_ void
quantize_all(const float *x, float scale, size_t n, int8_t *ret)
{
	float v[BLOCK];
	size_t i, j, len;

	for (i = 0; i < n; i += len) {
		len = MIN(BLOCK, n - i);
		memcpy(v, x + i, len * sizeof(*v));
		for (j = 0; j < len; j++)
			ret[i + j] = (int8_t)whole(v[j] / scale);
	}
}
