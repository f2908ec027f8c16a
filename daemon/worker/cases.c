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
case_write(const char *path, const struct feeds *in, const struct feeds *out, enum plan_role role,
	   struct err *e)
{
	static const char *const roles[] = {
		[PLAN_ROLE_QUERY] = "ranking.query", [PLAN_ROLE_DOCUMENT] = "ranking.document"};
	static const int64_t yes = 1;
	_cleanup_(stw_free) struct stw *w = NULL;
	int i, r;

	r = stw_new(path, &w, e);
	for (i = 0; r == 0 && i < in->n; i++)
		r = tensor_declare(w, "in", &in->feed[i], e);
	for (i = 0; r == 0 && out && i < out->n; i++)
		r = tensor_declare(w, "out", &out->feed[i], e);
	if (r == 0 && role)
		r = stw_add(w, roles[role], ELEM_I64, 1, &yes, e);
	if (r == 0)
		r = stw_begin(w, e);
	for (i = 0; r == 0 && i < in->n; i++)
		r = tensor_write(w, &in->feed[i], e);
	for (i = 0; r == 0 && out && i < out->n; i++)
		r = tensor_write(w, &out->feed[i], e);
	if (r == 0 && role)
		r = stw_data(w, &yes, sizeof(yes), e);
	return r < 0 ? r : stw_finish(w, e);
}
