/*
 * Floating point elements of one type as those of another, at the speed of memory: to float32 exactly
 * from bf16, f16 and f32 (subnormals, infinities and NaNs too), else rounded to the nearest, ties
 * to even. From a type to itself bits are copied.
 */
#ifndef CHECKPOINT_CONVERT_H
#define CHECKPOINT_CONVERT_H

#include "safetensors.h"

/* Whether elements of this type can be converted. */
bool convert_can(enum elem from);

/* `n` elements at `src`, at any alignment. `to` is ELEM_F32, ELEM_F16 or ELEM_BF16. */
void convert(enum elem from, enum elem to, const unsigned char *src, size_t n, void *dst);

/*
 * A part of a matrix, transposed: dst[c * rows + r] is element c of source row r. `src` is the
 * part's first element; source rows lie `stride` elements apart.
 */
void convert_transposed(enum elem from, enum elem to, const unsigned char *src, size_t stride, size_t rows,
			size_t cols, void *dst);

/* How many of `n` elements of type F32, F16 or BF16 are infinite or NaN, at the speed of memory. */
size_t convert_count_bad(enum elem d, const void *data, size_t n);

#endif
