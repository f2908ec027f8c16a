#include "weight_factors.h"

#include "torch/shim.h"

int
weight_factors_find(enum weight_init init, const float *w, size_t rows, size_t cols, size_t rank,
		    float *ret_b, float *ret_a, struct err *e)
{
	const int64_t n = (int64_t)rows, m = (int64_t)cols, r = (int64_t)rank;

	assert(init != WEIGHT_INIT_NONE);
	return init == WEIGHT_INIT_OLORA ? tt_factors_qr(w, n, m, r, ret_b, ret_a, e)
					 : tt_factors_svd(w, n, m, r, ret_b, ret_a, e);
}
