#include "tally.h"

#include "base/str.h"

bool
tally_add(struct tally *t, const char *type)
{
	struct onnx_op_count *row;
	size_t i, cap;

	for (i = 0; i < t->n && !str_eq(t->row[i].type, type); i++)
		;
	if (i == t->cap) {
		cap = MAX(t->cap * 2, 32);
		row = realloc(t->row, cap * sizeof(*row));
		if (!row)
			return false;
		t->row = row;
		t->cap = cap;
	}
	if (i == t->n)
		t->row[t->n++] = (struct onnx_op_count){.type = type};
	t->row[i].n++;
	t->total++;
	return true;
}

static int
row_cmp(const void *a, const void *b)
{
	const struct onnx_op_count *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->type, y->type);
}

void
tally_sort(struct tally *t)
{
	if (t->n)
		qsort(t->row, t->n, sizeof(*t->row), row_cmp);
}

void
tally_release(struct tally *t)
{
	free(t->row);
	*t = (struct tally){.row = NULL};
}
