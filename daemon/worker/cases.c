#include "cases.h"

#include "checkpoint/stwriter.h"

static int
tensor_declare(struct stw *w, const char *kind, const struct feed *f, struct err *e)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s.%s", kind, f->name);
	return stw_add(w, name, f->elem, f->rank, f->dim, e);
}

static int
tensor_write(struct stw *w, const struct feed *f, struct err *e)
{
	return stw_data(w, f->data, (size_t)feed_count(f) * elem_size(f->elem), e);
}

int
case_write(const char *path, const struct feeds *in, const struct feed *out, struct err *e)
{
	_cleanup_(stw_free) struct stw *w = NULL;
	int i, r;

	r = stw_new(path, &w, e);
	for (i = 0; r == 0 && i < in->n; i++)
		r = tensor_declare(w, "in", &in->feed[i], e);
	if (r == 0 && out)
		r = tensor_declare(w, "out", out, e);
	if (r == 0)
		r = stw_begin(w, e);
	for (i = 0; r == 0 && i < in->n; i++)
		r = tensor_write(w, &in->feed[i], e);
	if (r == 0 && out)
		r = tensor_write(w, out, e);
	return r < 0 ? r : stw_finish(w, e);
}
