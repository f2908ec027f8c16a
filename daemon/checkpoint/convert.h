/*
 * Converts floating point elements between types, at the speed of memory. From bf16, f16 and f32 to float32 the
 * result is exact, subnormals, infinities and NaNs included. Other results are rounded to the nearest, ties to
 * even. A conversion from a type to itself copies the bits.
 */
#ifndef CHECKPOINT_CONVERT_H
#define CHECKPOINT_CONVERT_H

#include "safetensors.h"

/* Whether elements of this type can be converted. */
bool convert_can(enum elem from);

/* Converts `n` elements at `src`, at any alignment. `to` is ELEM_F32, ELEM_F16 or ELEM_BF16. */
void convert(enum elem from, enum elem to, const unsigned char *src, size_t n, void *dst);

/*
 * Converts a part of a matrix and transposes it: dst[c * rows + r] is element c of source row r. `src` is the
 * first element of the part; source rows are `stride` elements apart.
 */
void convert_transposed(enum elem from, enum elem to, const unsigned char *src, size_t stride, size_t rows,
			size_t cols, void *dst);

/* Counts the infinities and NaNs among `n` elements of type F32, F16 or BF16, at the speed of memory. */
size_t convert_count_bad(enum elem d, const void *data, size_t n);

#endif
