#include "feeds.h"

#include <inttypes.h>

#include "base/str.h"

void
feeds_release(struct feeds *f)
{
	int i;

	for (i = 0; i < f->n; i++)
		free(f->feed[i].data);
	f->n = 0;
}

int64_t
feed_count(const struct feed *f)
{
	int64_t n = 1;
	int i;

	for (i = 0; i < f->rank; i++)
		n *= f->dim[i];
	return n;
}

struct feed *
feeds_add(struct feeds *f, const char *name, enum elem elem, int rank, const int64_t *dim)
{
	struct feed *x = &f->feed[f->n];

	assert(f->n < FEEDS_MAX && rank <= IR_RANK_MAX);
	*x = (struct feed){.name = name, .elem = elem, .rank = rank};
	memcpy(x->dim, dim, (size_t)rank * sizeof(*dim));
	x->data = calloc((size_t)feed_count(x) + 1,
			 elem_size(elem)); /* + 1, so that an empty tensor has memory too */
	if (!x->data)
		return NULL;
	f->n++;
	return x;
}

struct feed *
feeds_add_sized(struct feeds *f, const char *name, enum elem elem, const struct shape *shape,
		const struct sizes *s)
{
	int64_t dim[IR_RANK_MAX];
	int i;

	for (i = 0; i < shape->rank; i++)
		dim[i] = dim_eval(shape->dim[i], s);
	return feeds_add(f, name, elem, shape->rank, dim);
}

const struct feed *
feeds_find(const struct feeds *f, const char *name)
{
	int i;

	for (i = 0; i < f->n; i++)
		if (str_eq(f->feed[i].name, name))
			return &f->feed[i];
	return NULL;
}

/* The symbol that a dim consists of, or -1 for any other dim. */
static int
dim_symbol_of(struct dim d)
{
	int s;

	for (s = 0; s < SYM_MAX; s++)
		if (dim_eq(d, dim_symbol((enum symbol)s)))
			return s;
	return -1;
}

static int
shape_bind(const struct ir_value *v, const struct feed *f, struct sizes *sizes, struct err *e)
{
	char want[256];
	int i, s;

	if (f->elem != v->elem)
		return err_set(e, E_BAD_REFERENCE, "'%s' must be of type %s, not %s", v->name,
			       elem_word(v->elem), elem_word(f->elem));
	(void)shape_str(&v->shape, want, sizeof(want));
	if (f->rank != v->shape.rank)
		return err_set(e, E_BAD_REFERENCE, "'%s' has %d axes where the model takes %s", v->name,
			       f->rank, want);
	for (i = 0; i < f->rank; i++) {
		s = dim_symbol_of(v->shape.dim[i]);
		if (s >= 0 && sizes->of[s] == 0)
			sizes->of[s] = f->dim[i];
		if (dim_eval(v->shape.dim[i], sizes) != f->dim[i])
			return err_set(e, E_BAD_REFERENCE,
				       "axis %d of '%s' has %" PRId64 " elements, which does not fit %s", i,
				       v->name, f->dim[i], want);
	}
	return 0;
}

int
feeds_sizes(const struct feeds *f, const struct ir_graph *g, struct sizes *ret, struct err *e)
{
	struct sizes sizes = {{0}};
	const struct feed *x;
	size_t i;
	int r;

	for (i = 0; i < g->n_value; i++) {
		if (g->value[i]->kind != IR_INPUT)
			continue;
		x = feeds_find(f, g->value[i]->name);
		if (!x)
			return err_set(e, E_BAD_REFERENCE, "the input '%s' of the graph '%s' is missing",
				       g->value[i]->name, g->name);
		r = shape_bind(g->value[i], x, &sizes, e);
		if (r < 0)
			return r;
	}
	*ret = sizes;
	return 0;
}
