/*
 * Finds with libtorch the part of a base matrix that the init of an adapter subtracts: see
 * weight_init_apply().
 */
#ifndef TRACE_WEIGHT_FACTORS_H
#define TRACE_WEIGHT_FACTORS_H

#include "checkpoint/weight.h"

/* A weight_init_fn. */
int weight_factors_find(enum weight_init init, const float *w, size_t rows, size_t cols, size_t rank,
			float *ret_b, float *ret_a, struct err *e);

#endif
