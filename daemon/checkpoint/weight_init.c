/* Finds the part of the base that an init subtracts, and keeps it as a pair of factors in memory. */
#include "weight.h"

#include <math.h>

#include "convert.h"

static void
tensor_over(struct st_tensor *t, size_t rows, size_t cols, const float *data)
{
	*t = (struct st_tensor){.name = "",
				.dtype = ELEM_F32,
				.rank = 2,
				.shape = {(int64_t)rows, (int64_t)cols},
				.count = (int64_t)(rows * cols),
				.data = (const unsigned char *)data,
				.len = rows * cols * sizeof(*data)};
}

int
weight_init_apply(const struct weight *w, weight_init_fn find, struct err *e)
{
	const struct st_tensor *t = w->tensor;
	const size_t rows = (size_t)t->shape[0], cols = (size_t)t->shape[1];
	_cleanup_free_ float *base = malloc((size_t)t->count * sizeof(*base));
	struct delta *d = w->delta;
	const size_t rank = (size_t)d->learned.a->shape[0];
	size_t i;
	int r;

	d->initial_data = malloc((rows + cols) * rank * sizeof(*base));
	if (!base || !d->initial_data)
		return err_no_memory(e);
	convert(t->dtype, ELEM_F32, t->data, (size_t)t->count, base);
	for (i = 0; i < (size_t)t->count; i++)
		if (!isfinite(base[i]))
			return weight_blame(w, ELEM_F32, e);
	r = find(d->init, base, rows, cols, rank, d->initial_data, d->initial_data + rows * rank, e);
	if (r < 0)
		return err_context(e, "'%s'", t->name);
	tensor_over(&d->initial_tensors[0], rows, rank, d->initial_data);
	tensor_over(&d->initial_tensors[1], rank, cols, d->initial_data + rows * rank);
	d->initial = (struct factors){.b = &d->initial_tensors[0],
				      .a = &d->initial_tensors[1],
				      .scale = d->init == WEIGHT_INIT_OLORA ? -d->learned.scale : -1};
	return 0;
}
