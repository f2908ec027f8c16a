/*
 * Elements of a checkpoint as float32, at the speed of memory: bf16, f16 and f32 exactly
 * (subnormals, infinities and NaNs too), f64 rounded to the nearest.
 */
#ifndef CHECKPOINT_CONVERT_H
#define CHECKPOINT_CONVERT_H

#include "safetensors.h"

/* Whether elements of this type can be converted. */
bool convert_can(enum st_dtype d);

/* `n` elements at `src`, at any alignment. */
void convert_f32(enum st_dtype d, const unsigned char *src, size_t n, float *dst);

/*
 * A part of a matrix, transposed: dst[c * rows + r] is element c of source row r. `src` is the
 * part's first element; source rows lie `stride` elements apart.
 */
void convert_f32_transposed(enum st_dtype d, const unsigned char *src, size_t stride, size_t rows,
			    size_t cols, float *dst);

#endif
