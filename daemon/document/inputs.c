#include "inputs.h"

#include "base/str.h"

void
document_inputs_release(struct document_inputs *in)
{
	while (in->n > 0)
		free(in->input[--in->n].data);
}

const struct document_input *
document_input_find(const struct document_inputs *in, const char *name)
{
	return FIND_ROW(in->input, in->n, name, name);
}

/* A zeroed tensor; NULL when memory ran out. */
static void *
add(struct document_inputs *in, const char *name, enum elem elem, int rank, const int64_t *dim)
{
	struct document_input *x = &in->input[in->n];
	int i;

	*x = (struct document_input){.name = name, .elem = elem, .rank = rank, .len = elem_size(elem)};
	for (i = 0; i < rank; i++) {
		x->dim[i] = dim[i];
		x->len *= (size_t)dim[i]; /* no overflow: a few times the picture's pixels */
	}
	x->data = calloc(1, x->len + 1);
	in->n += x->data != NULL;
	return x->data;
}

static void
fill(int64_t *list, size_t len, int64_t value)
{
	size_t i;

	for (i = 0; list && i < len / sizeof(*list); i++)
		list[i] = value;
}

static int
ids_make(const struct document *d, const struct prepared *made, struct document_inputs *in, struct err *e)
{
	_cleanup_(ids_release) struct ids ids = IDS_INIT;
	int64_t *row, *mask, dim[2] = {1, 0};
	int r;

	r = document_ids(d, made, &ids, e);
	if (r < 0)
		return r;
	dim[1] = (int64_t)ids.n;
	row = add(in, "input_ids", ELEM_I64, 2, dim);
	mask = add(in, "attention_mask", ELEM_I64, 2, dim);
	if (!row || !mask)
		return err_no_memory(e);
	memcpy(row, ids.id, ids.n * sizeof(*row));
	fill(mask, ids.n * sizeof(*mask), 1);
	return 0;
}

/* pixel_values and the sizes of the tiles. */
static int
naflex_make(const struct document *d, const struct prepared *made, struct document_inputs *in, struct err *e)
{
	const int64_t side = d->prepare.tile / d->prepare.patch, shapes_dim[] = {made->dim[0], 2};
	float *pixels = add(in, "pixel_values", ELEM_F32, made->rank, made->dim);
	int64_t *shapes, i;

	if (!pixels)
		return err_no_memory(e);
	memcpy(pixels, made->pixels, in->input[in->n - 1].len);
	shapes = add(in, "spatial_shapes", ELEM_I64, 2, shapes_dim);
	if (!shapes)
		return err_no_memory(e);
	for (i = 0; i < 2 * made->rows * made->cols; i++)
		*shapes++ = side;
	if (made->whole_rows) {
		shapes[0] = made->whole_rows;
		shapes[1] = made->whole_cols;
	}
	return 0;
}

static int
pixels_make(const struct document *d, const struct prepared *made, struct document_inputs *in, struct err *e)
{
	const enum prepare_rule rule = d->prepare.rule;
	const bool alone = rule == PREPARE_FIXED || rule == PREPARE_PADDED; /* nothing says the sizes */
	const int64_t *m = made->dim, list[] = {1, m[0], m[1], m[2], m[3]},
		      grid[] = {1, made->rows, made->cols}, grid_dim[] = {1, 3}, sizes[] = {m[2], m[3]},
		      sizes_dim[] = {1, 2}, mask_dim[] = {1, m[0], m[2], m[3]};
	float *pixels;
	int64_t *more = NULL;

	if (rule == PREPARE_NAFLEX)
		return naflex_make(d, made, in, e);
	pixels = alone || rule == PREPARE_WHOLE ? add(in, "pixel_values", ELEM_F32, made->rank, m)
						: add(in, "pixel_values", ELEM_F32, made->rank + 1, list);
	if (!pixels)
		return err_no_memory(e);
	memcpy(pixels, made->pixels, in->input[in->n - 1].len);
	if (alone)
		return 0;
	if (rule == PREPARE_PATCHES && (more = add(in, "image_grid_thw", ELEM_I64, 2, grid_dim)))
		memcpy(more, grid, sizeof(grid));
	if (rule == PREPARE_WHOLE && (more = add(in, "image_sizes", ELEM_I64, 2, sizes_dim)))
		memcpy(more, sizes, sizeof(sizes));
	if (rule == PREPARE_TILES && (more = add(in, "pixel_attention_mask", ELEM_I64, 4, mask_dim)))
		fill(more, in->input[in->n - 1].len, 1); /* tiles of pictures have no padding */
	return more ? 0 : err_no_memory(e);
}

int
document_inputs_make(const struct document *d, const struct picture *picture, struct document_inputs *ret,
		     struct err *e)
{
	_cleanup_(prepared_release) struct prepared made = PREPARED_INIT;
	_cleanup_(document_inputs_release) struct document_inputs in = DOCUMENT_INPUTS_INIT;
	int r;

	r = prepare_run(&d->prepare, picture, &made, e);
	if (r == 0)
		r = ids_make(d, &made, &in, e);
	if (r == 0)
		r = pixels_make(d, &made, &in, e);
	if (r < 0)
		return r;
	*ret = in;
	in = (struct document_inputs)DOCUMENT_INPUTS_INIT;
	return 0;
}
