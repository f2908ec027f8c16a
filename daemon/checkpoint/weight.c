/*
 * The product B A is computed in tiles that fit the first-level cache:
 *
 *	sum[32][128] += left[k][32] * right[k][128]        for 32 ranks k at a time
 *
 * Usually left holds a part of B, and right a part of A. For a block of the transposed weight they change
 * places, since (B A)^T = A^T B^T. A weight with more than two axes (a convolution kernel) is treated as a
 * matrix: its first axis by all the others.
 */
#include "weight.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>

#include "convert.h"

#define TILE_ROWS 32
#define TILE_COLS 128 /* a constant, so that the compiler uses vectors */
#define TILE_RANK 32

struct tile {
	float left[TILE_RANK][TILE_ROWS];
	float right[TILE_RANK][TILE_COLS];
	float sum[TILE_ROWS][TILE_COLS];
};

/* A part of a weight, or of its transpose: rows x cols elements at (row, col). */
struct block {
	size_t row, col, rows, cols;
	bool transposed;
};

/* One lock is enough: row scales are computed once per weight, and few adapters have any. */
static pthread_mutex_t row_scale_lock = PTHREAD_MUTEX_INITIALIZER;

void
delta_free(struct delta **d)
{
	if (!*d)
		return;
	free((*d)->row_scale);
	free((*d)->initial_data);
	free((*d)->token);
	free(*d);
	*d = NULL;
}

/* The number of columns of a tensor that is treated as a matrix. */
static size_t
matrix_cols(const struct st_tensor *t)
{
	return t->shape[0] ? (size_t)(t->count / t->shape[0]) : 0;
}

/* Fills ret[k * stride + x] with nk ranks from k0 and n elements from `first`, of A [rank, N] or of B [N, rank]. */
static void
factor_load(const struct st_tensor *t, bool is_a, size_t first, size_t n, size_t k0, size_t nk, float *ret,
	    size_t stride)
{
	const size_t size = elem_size(t->dtype), width = matrix_cols(t);
	float ranks[TILE_RANK];
	size_t x, k;

	for (k = 0; is_a && k < nk; k++)
		convert(t->dtype, ELEM_F32, t->data + ((k0 + k) * width + first) * size, n, ret + k * stride);
	for (x = 0; !is_a && x < n; x++) {
		convert(t->dtype, ELEM_F32, t->data + ((first + x) * width + k0) * size, nk, ranks);
		for (k = 0; k < nk; k++)
			ret[k * stride + x] = ranks[k];
	}
}

/* Takes four ranks at a time, for fewer passes over the sums. Unused parts of left and right are zero. */
_wide_ static void
tile_multiply(float (*restrict sum)[TILE_COLS], const float (*restrict left)[TILE_ROWS],
	      const float (*restrict right)[TILE_COLS], size_t rows, size_t nk)
{
	size_t i, j, k;

	for (i = 0; i < rows; i++)
		for (k = 0; k < nk; k += 4)
			for (j = 0; j < TILE_COLS; j++)
				sum[i][j] += left[k][i] * right[k][j] + left[k + 1][i] * right[k + 1][j] +
					     left[k + 2][i] * right[k + 2][j] +
					     left[k + 3][i] * right[k + 3][j];
}

/* Adds scale * B A to a block, which is at most a tile. */
static void
tile_add(const struct factors *f, const struct block *b, bool embedding, float *ret)
{
	const bool left_is_a = b->transposed != embedding;
	const struct st_tensor *left = left_is_a ? f->a : f->b, *right = left_is_a ? f->b : f->a;
	const size_t rank = (size_t)f->a->shape[0];
	struct tile t;
	size_t i, j, k, nk;

	memset(t.sum, 0, sizeof(t.sum));
	for (k = 0; k < rank; k += nk) {
		nk = MIN(TILE_RANK, rank - k);
		memset(t.left, 0, sizeof(t.left));
		memset(t.right, 0, sizeof(t.right));
		factor_load(left, left_is_a, b->row, b->rows, k, nk, t.left[0], TILE_ROWS);
		factor_load(right, !left_is_a, b->col, b->cols, k, nk, t.right[0], TILE_COLS);
		tile_multiply(t.sum, t.left, t.right, b->rows, nk);
	}
	for (i = 0; i < b->rows; i++)
		for (j = 0; j < b->cols; j++)
			ret[i * b->cols + j] += f->scale * t.sum[i][j];
}

static int
cmp_token(const void *pa, const void *pb)
{
	const struct token_row *a = pa, *b = pb;

	return (a->token > b->token) - (a->token < b->token);
}

/* Overwrites the rows of a block that the adapter replaces; the block is at most a tile. */
static void
tile_replace(const struct delta *d, const struct block *b, float *ret)
{
	const size_t first = b->transposed ? b->col : b->row, n = b->transposed ? b->cols : b->rows;
	const size_t at = b->transposed ? b->row : b->col, len = b->transposed ? b->rows : b->cols;
	const struct st_tensor *t = d->rows;
	struct token_row key = {.token = (int64_t)first}, *row;
	float v[MAX(TILE_ROWS, TILE_COLS)];
	size_t i, k;

	for (i = 0; i < n; i++, key.token++) {
		row = bsearch(&key, d->token, (size_t)t->shape[0], sizeof(key), cmp_token);
		if (!row)
			continue;
		convert(t->dtype, ELEM_F32,
			t->data + (row->source * matrix_cols(t) + at) * elem_size(t->dtype), len, v);
		for (k = 0; k < len; k++)
			ret[b->transposed ? k * b->cols + i : i * b->cols + k] = v[k];
	}
}

/* Reads a block of W with what the adapter adds, at most a tile, as rows of b->cols elements. */
static void
tile_read(const struct weight *w, const struct block *b, float *ret)
{
	const struct st_tensor *t = w->tensor;
	const size_t size = elem_size(t->dtype), width = matrix_cols(t);
	size_t i;

	if (b->transposed)
		convert_transposed(t->dtype, ELEM_F32, t->data + (b->col * width + b->row) * size, width,
				   b->cols, b->rows, ret);
	for (i = 0; !b->transposed && i < b->rows; i++)
		convert(t->dtype, ELEM_F32, t->data + ((b->row + i) * width + b->col) * size, b->cols,
			ret + i * b->cols);
	assert(w->delta->init == WEIGHT_INIT_NONE || w->delta->initial.a);
	if (w->delta->learned.a)
		tile_add(&w->delta->learned, b, w->delta->embedding, ret);
	if (w->delta->initial.a)
		tile_add(&w->delta->initial, b, w->delta->embedding, ret);
	if (w->delta->rows)
		tile_replace(w->delta, b, ret);
}

/* The squared length of each of `rows` rows that tile_read() gives. */
static void
rows_measure(const struct weight *w, size_t row, size_t rows, double ret[TILE_ROWS])
{
	const size_t width = matrix_cols(w->tensor);
	float v[TILE_ROWS * TILE_COLS];
	size_t i, j, col, cols;

	memset(ret, 0, TILE_ROWS * sizeof(*ret));
	for (col = 0; col < width; col += cols) {
		cols = MIN(TILE_COLS, width - col);
		tile_read(w, &(struct block){row, col, rows, cols, false}, v);
		for (i = 0; i < rows; i++)
			for (j = 0; j < cols; j++)
				ret[i] += (double)v[i * cols + j] * (double)v[i * cols + j];
	}
}

static float *
row_scale_make(const struct weight *w)
{
	const struct st_tensor *m = w->delta->magnitude;
	const size_t n = (size_t)m->count;
	float *ret = malloc(n * sizeof(*ret));
	double squares[TILE_ROWS];
	size_t row, rows, i;

	if (!ret)
		return NULL;
	convert(m->dtype, ELEM_F32, m->data, n, ret);
	for (row = 0; row < n; row += rows) {
		rows = MIN(TILE_ROWS, n - row);
		rows_measure(w, row, rows, squares);
		for (i = 0; i < rows; i++)
			ret[row + i] /= (float)sqrt(squares[i]);
	}
	return ret;
}

static int
row_scale_get(const struct weight *w, const float **ret, struct err *e)
{
	struct delta *d = w->delta;

	*ret = NULL;
	if (!d->magnitude)
		return 0;
	(void)pthread_mutex_lock(&row_scale_lock);
	if (!d->row_scale)
		d->row_scale = row_scale_make(w);
	*ret = d->row_scale;
	(void)pthread_mutex_unlock(&row_scale_lock);
	return *ret ? 0 : err_set(e, E_NO_MEMORY, "memory ran out merging '%s'", w->name);
}

static void
tile_scale(const struct block *b, const float *row_scale, float *v)
{
	size_t i, j;

	for (i = 0; i < b->rows; i++)
		for (j = 0; j < b->cols; j++)
			v[i * b->cols + j] *= row_scale[b->transposed ? b->col + j : b->row + i];
}

/* Reads a block of the merged weight as rows of b->cols elements. */
static void
block_read(const struct weight *w, const float *row_scale, const struct block *b, enum elem to,
	   unsigned char *ret)
{
	const size_t size = elem_size(to);
	float v[TILE_ROWS * TILE_COLS];
	struct block part = *b;
	size_t i, j, k;

	for (i = 0; i < b->rows; i += TILE_ROWS) {
		for (j = 0; j < b->cols; j += TILE_COLS) {
			part.row = b->row + i;
			part.col = b->col + j;
			part.rows = MIN(TILE_ROWS, b->rows - i);
			part.cols = MIN(TILE_COLS, b->cols - j);
			tile_read(w, &part, v);
			if (row_scale)
				tile_scale(&part, row_scale, v);
			for (k = 0; k < part.rows; k++)
				convert(ELEM_F32, to, (const unsigned char *)(v + k * part.cols), part.cols,
					ret + ((i + k) * b->cols + j) * size);
		}
	}
}

static void
bias_read(const struct weight *w, size_t first, size_t n, enum elem to, unsigned char *ret)
{
	const struct st_tensor *t = w->tensor, *b = w->delta->bias;
	float v[TILE_COLS], add[TILE_COLS];
	size_t i, k, count;

	for (i = 0; i < n; i += count) {
		count = MIN(TILE_COLS, n - i);
		convert(t->dtype, ELEM_F32, t->data + (first + i) * elem_size(t->dtype), count, v);
		convert(b->dtype, ELEM_F32, b->data + (first + i) * elem_size(b->dtype), count, add);
		for (k = 0; k < count; k++)
			v[k] += w->delta->learned.scale * add[k];
		convert(ELEM_F32, to, (const unsigned char *)v, count, ret + i * elem_size(to));
	}
}

int
weight_read(const struct weight *w, enum elem to, size_t first, size_t n, void *ret, struct err *e)
{
	const struct st_tensor *t = w->tensor;
	unsigned char *at = ret;
	const float *row_scale;
	struct block b;
	size_t width;
	int r;

	if (w->stack) {
		stack_read(w->stack, to, first, n, ret);
		return 0;
	}
	if (!w->delta) {
		convert(t->dtype, to, t->data + first * elem_size(t->dtype), n, ret);
		return 0;
	}
	if (w->delta->bias) {
		bias_read(w, first, n, to, ret);
		return 0;
	}
	r = row_scale_get(w, &row_scale, e);
	width = matrix_cols(t);
	/* The rest of a row, then whole rows, then the beginning of a row. */
	for (; r == 0 && n; n -= b.rows * b.cols) {
		b = (struct block){.row = first / width, .col = first % width, .rows = 1};
		b.cols = MIN(width - b.col, n);
		if (b.cols == width)
			b.rows = n / width;
		block_read(w, row_scale, &b, to, at);
		first += b.rows * b.cols;
		at += b.rows * b.cols * elem_size(to);
	}
	return r;
}

int
weight_read_transposed(const struct weight *w, enum elem to, size_t width, size_t row, size_t col,
		       size_t rows, size_t cols, void *ret, struct err *e)
{
	const struct block b = {.row = col, .col = row, .rows = cols, .cols = rows, .transposed = true};
	const struct st_tensor *t = w->tensor;
	const float *row_scale;
	int r;

	if (w->stack) {
		stack_read_transposed(w->stack, to, row, col, rows, cols, ret);
		return 0;
	}
	if (!w->delta) {
		convert_transposed(t->dtype, to, t->data + (row * width + col) * elem_size(t->dtype), width,
				   rows, cols, ret);
		return 0;
	}
	/* Only matrices, and kernels treated as matrices, are stored transposed. */
	assert(!w->delta->bias && matrix_cols(t) == width);
	r = row_scale_get(w, &row_scale, e);
	if (r == 0)
		block_read(w, row_scale, &b, to, ret);
	return r;
}

/* NaN and infinite elements of a tensor. */
struct bad {
	size_t nan, infinite;
};

/* Checks float64 elements without conversion: large ones would become infinite in float32. */
static struct bad
tensor_count_bad(const struct st_tensor *t)
{
	const size_t size = elem_size(t->dtype), n = (size_t)t->count;
	struct bad bad = {0, 0};
	float v[TILE_COLS];
	double d;
	size_t i, k, count;

	for (i = 0; i < n; i += count) {
		count = MIN(TILE_COLS, n - i);
		if (t->dtype != ELEM_F64)
			convert(t->dtype, ELEM_F32, t->data + i * size, count, v);
		for (k = 0; k < count; k++) {
			d = v[k];
			if (t->dtype == ELEM_F64)
				memcpy(&d, t->data + (i + k) * size, sizeof(d));
			bad.nan += isnan(d) != 0;
			bad.infinite += isinf(d) != 0;
		}
	}
	return bad;
}

/* Fails when the tensor has bad elements. It belongs to a weight, or is NULL. */
static int
tensor_check(const struct st_tensor *t, const char *path, struct err *e)
{
	struct bad bad = {0, 0};

	if (t)
		bad = tensor_count_bad(t);
	if (!bad.nan && !bad.infinite)
		return 0;
	return err_set(e, E_BAD_CHECKPOINT,
		       "tensor '%s'%s%s%s has %zu NaN and %zu infinite of %" PRId64
		       " elements: the file is damaged, or the training diverged",
		       t->name, path ? " in '" : "", path ? path : "", path ? "'" : "", bad.nan, bad.infinite,
		       t->count);
}

/* Counts elements that are not finite once they are converted to `to`. */
static size_t
count_beyond(const struct weight *w, enum elem to)
{
	const size_t n = (size_t)w->tensor->count;
	float v[TILE_ROWS * TILE_COLS]; /* or elements of a smaller type */
	size_t i, count, beyond = 0;

	for (i = 0; i < n; i += count) {
		count = MIN(ARRAY_LEN(v), n - i);
		if (weight_read(w, to, i, count, v, NULL) == 0)
			beyond += convert_count_bad(to, v, count);
	}
	return beyond;
}

int
weight_blame(const struct weight *w, enum elem to, struct err *e)
{
	const struct delta *d = w->delta;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && w->stack && i < w->stack->n; i++)
		r = tensor_check(w->stack->part[i].tensor, st_path(w->file), e);
	if (r == 0 && !w->stack)
		r = tensor_check(w->tensor, st_path(w->file), e);
	if (r == 0 && d &&
	    ((r = tensor_check(d->learned.a, NULL, e)) < 0 || (r = tensor_check(d->learned.b, NULL, e)) < 0 ||
	     (r = tensor_check(d->magnitude, NULL, e)) < 0 || (r = tensor_check(d->bias, NULL, e)) < 0 ||
	     (r = tensor_check(d->rows, NULL, e)) < 0))
		return err_context(e, "the adapter");
	if (r < 0)
		return r;
	return err_set(e, E_UNSUPPORTED_MODEL,
		       "tensor '%s' in '%s'%s has %zu of %" PRId64 " elements that are too large for %s",
		       w->tensor->name, st_path(w->file), d ? " with the adapter" : "", count_beyond(w, to),
		       w->tensor->count, elem_name(to));
}
