/* Reads a stack row by row: along axis 0 a row lies in one part, along axis 1 each part has a piece of it. */
#include "convert.h"
#include "weight.h"

#define CHUNK 512 /* elements that are converted at a time */

void
stack_free(struct stack **s)
{
	if (!*s)
		return;
	free((*s)->part);
	free(*s);
	*s = NULL;
}

int
stack_new(struct weight *w, int axis, size_t n, int64_t rows, int64_t cols, const char *name, struct err *e)
{
	struct stack *s = calloc(1, sizeof(*s));

	w->stack = s;
	if (s)
		s->part = calloc(n, sizeof(*s->part));
	if (!s || !s->part)
		return err_no_memory(e);
	s->axis = axis;
	s->n = n;
	s->whole = (struct st_tensor){
		.name = name, .dtype = ELEM_F32, .rank = 2, .shape = {rows, cols}, .count = rows * cols};
	w->tensor = &s->whole;
	return 0;
}

/* The part that has the element (row, col), and the element's place in it. */
static const struct stack_part *
part_find(const struct stack *s, size_t *row, size_t *col)
{
	size_t *at = s->axis == 0 ? row : col, i = 0;

	while (*at >= (size_t)s->part[i].tensor->shape[s->axis])
		*at -= (size_t)s->part[i++].tensor->shape[s->axis];
	return &s->part[i];
}

/* Reads n elements of one row, as float32. */
static void
row_read(const struct stack *s, size_t row, size_t col, size_t n, float *ret)
{
	const struct stack_part *p;
	size_t done, count, in_row, in_col, width, i;

	for (done = 0; done < n; done += count) {
		in_row = row;
		in_col = col + done;
		p = part_find(s, &in_row, &in_col);
		width = (size_t)p->tensor->shape[1];
		count = MIN(n - done, width - in_col);
		convert(p->tensor->dtype, ELEM_F32,
			p->tensor->data + (in_row * width + in_col) * elem_size(p->tensor->dtype), count,
			ret + done);
		for (i = 0; i < count; i++)
			ret[done + i] *= p->scale;
	}
}

void
stack_read(const struct stack *s, enum elem to, size_t first, size_t n, void *ret)
{
	const size_t width = (size_t)s->whole.shape[1];
	unsigned char *at = ret;
	float v[CHUNK];
	size_t count;

	for (; n; n -= count) {
		count = MIN(n, MIN(CHUNK, width - first % width));
		row_read(s, first / width, first % width, count, v);
		convert(ELEM_F32, to, (const unsigned char *)v, count, at);
		at += count * elem_size(to);
		first += count;
	}
}

void
stack_read_transposed(const struct stack *s, enum elem to, size_t row, size_t col, size_t rows, size_t cols,
		      void *ret)
{
	const size_t size = elem_size(to);
	unsigned char *at = ret, out[CHUNK * sizeof(float)];
	float v[CHUNK];
	size_t r, c, i, count;

	for (r = 0; r < rows; r++)
		for (c = 0; c < cols; c += count) {
			count = MIN(CHUNK, cols - c);
			row_read(s, row + r, col + c, count, v);
			convert(ELEM_F32, to, (const unsigned char *)v, count, out);
			for (i = 0; i < count; i++)
				memcpy(at + ((c + i) * rows + r) * size, out + i * size, size);
		}
}
