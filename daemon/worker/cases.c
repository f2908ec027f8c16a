#include "cases.h"

#include "base/str.h"
#include "checkpoint/stwriter.h"

static const struct case_plan plans[] = {
#define CASE(name, any_size, right, rows, ...) {name, any_size, right, rows, {__VA_ARGS__}},
#include "cases.def"
#undef CASE
};

size_t
case_count(void)
{
	return ARRAY_LEN(plans);
}

const struct case_plan *
case_get(size_t i)
{
	return &plans[i];
}

int
case_write(const char *path, const struct feeds *in, const int64_t *dim, const float *embeddings,
	   struct err *e)
{
	_cleanup_(stw_free) struct stw *w = NULL;
	char name[64];
	int i, r;

	r = stw_new(path, &w, e);
	for (i = 0; r == 0 && i < in->n; i++) {
		(void)snprintf(name, sizeof(name), "in.%s", in->feed[i].name);
		r = stw_add(w, name, in->feed[i].elem, in->feed[i].rank, in->feed[i].dim, e);
	}
	if (r == 0)
		r = stw_add(w, "out.embeddings", ELEM_F32, 3, dim, e);
	if (r == 0)
		r = stw_begin(w, e);
	for (i = 0; r == 0 && i < in->n; i++)
		r = stw_data(w, in->feed[i].data,
			     (size_t)feed_count(&in->feed[i]) * elem_size(in->feed[i].elem), e);
	if (r == 0)
		r = stw_data(w, embeddings, (size_t)(dim[0] * dim[1] * dim[2]) * sizeof(float), e);
	return r < 0 ? r : stw_finish(w, e);
}
