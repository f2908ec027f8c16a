#include "beside.h"

#include <math.h>

#include "base/str.h"

/* The case's tensor for output i of the graph; NULL: there is none, or output i is the embeddings. */
static const struct st_tensor *
want_find(const struct parity_case *c, const struct ort_session *s, size_t i)
{
	return i ? case_output_find(c, ort_output_name(s, i)) : NULL;
}

bool
beside_any(const struct parity_case *c, const struct ort_session *s)
{
	size_t i;

	for (i = 0; i < ort_output_count(s); i++)
		if (want_find(c, s, i))
			return true;
	return false;
}

static bool
same_shape(const struct st_tensor *want, const struct ort_tensor *got)
{
	return want->dtype == got->type && want->rank == got->rank && want->len == got->len &&
	       memcmp(want->shape, got->shape, (size_t)got->rank * sizeof(*got->shape)) == 0;
}

static void
masked_clear(const bool *valid, size_t n, size_t dim, float *vectors)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!valid[i])
			memset(vectors + i * dim, 0, dim * sizeof(*vectors));
}

static int
vectors_compare(const struct parity_case *c, const struct st_tensor *t, float *got, struct beside *ret,
		struct err *e)
{
	const size_t dim = (size_t)t->shape[t->rank - 1], n = dim ? (size_t)t->count / dim : 0;
	_cleanup_free_ float *want = malloc(t->len + 1); /* aligned */
	_cleanup_free_ bool *valid = NULL;
	int64_t i;
	int r;

	if (!want)
		return err_no_memory(e);
	r = case_valid_make(c, t, &valid, e);
	if (r < 0)
		return r;
	memcpy(want, t->data, t->len);
	for (i = 0; i < t->count; i++)
		if (!isfinite(want[i]))
			return err_set(e, E_BAD_REFERENCE, "'%s': tensor '%s' holds NaN or infinity", c->path,
				       t->name);
	if (c->unmasked) {
		masked_clear(valid, n, dim, want);
		masked_clear(valid, n, dim, got);
	}
	compare_embeddings(want, got, valid, n, dim, &ret->cmp);
	return 0;
}

static void
wholes_compare(const struct st_tensor *want, const struct ort_tensor *got, struct beside *ret)
{
	const size_t size = elem_size(got->type);
	const unsigned char *data = got->data;
	size_t i;

	ret->elements = got->len / size;
	for (i = 0; i < ret->elements; i++)
		ret->differing += memcmp(want->data + i * size, data + i * size, size) != 0;
}

static int
output_compare(const struct parity_case *c, const struct st_tensor *want, const struct ort_tensor *got,
	       struct beside *ret, struct err *e)
{
	ret->vectors = want->dtype == ELEM_F32;
	if (!same_shape(want, got) || (ret->vectors && want->rank != 2 && want->rank != 3))
		return err_set(e, E_PARITY, "the output '%s' has another shape or type than the case's '%s'",
			       ret->name, want->name);
	if (ret->vectors)
		return vectors_compare(c, want, got->data, ret, e);
	wholes_compare(want, got, ret);
	return 0;
}

int
beside_compare(const struct parity_case *c, const struct ort_session *s, const struct ort_tensor *out,
	       struct beside *ret, size_t *ret_n, struct err *e)
{
	const struct st_tensor *want;
	struct beside *b;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ort_output_count(s); i++) {
		want = want_find(c, s, i);
		if (!want)
			continue;
		b = &ret[(*ret_n)++];
		b->name = strdup(ort_output_name(s, i));
		r = b->name ? output_compare(c, want, &out[i], b, e) : err_no_memory(e);
	}
	return r;
}

int
beside_judge(const struct beside *b, size_t n, const struct limits *l, struct err *e)
{
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		r = b[i].vectors ? compare_judge(&b[i].cmp, l, e) : 0;
		if (r < 0)
			return err_context(e, "the output '%s'", b[i].name);
		if (b[i].differing)
			return err_set(e, E_PARITY, "%zu of the %zu elements of the output '%s' differ",
				       b[i].differing, b[i].elements, b[i].name);
	}
	return 0;
}

void
beside_release(struct beside *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(b[i].name);
	free(b);
}
