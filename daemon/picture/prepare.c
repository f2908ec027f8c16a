#include "prepare.h"

#include <math.h>

#include "format.h"

void
prepared_release(struct prepared *p)
{
	free(p->pixels);
	*p = (struct prepared)PREPARED_INIT;
}

/* ---- sizes ---- */

/*
 * Uses doubles and the processor's order of operations: another order gives another size in borderline
 * cases. rint() rounds halves to even, as Python's round() does.
 */
static int
patches_size(const struct prepare *p, int64_t height, int64_t width, int64_t *ret_height, int64_t *ret_width,
	     struct err *e)
{
	const double f = (double)(p->patch * p->merge), h = (double)height, w = (double)width;
	double rows = rint(h / f) * f, cols = rint(w / f) * f, by;

	if (MAX(h, w) / MIN(h, w) > PREPARE_RATIO_MAX)
		return err_set(e, E_BAD_REQUEST,
			       "%lld x %lld pixels: one side may be %d times as long as the other",
			       (long long)width, (long long)height, PREPARE_RATIO_MAX);
	if (rows * cols > (double)p->pixels_max) {
		by = sqrt(h * w / (double)p->pixels_max);
		rows = MAX(f, floor(h / by / f) * f);
		cols = MAX(f, floor(w / by / f) * f);
	} else if (rows * cols < (double)p->pixels_min) {
		by = sqrt((double)p->pixels_min / (h * w));
		rows = ceil(h * by / f) * f;
		cols = ceil(w * by / f) * f;
	}
	*ret_height = (int64_t)rows;
	*ret_width = (int64_t)cols;
	return 0;
}

/* Computes a side from the other one and the aspect ratio; even, and at least 1. */
static int64_t
side_even(double x)
{
	const int64_t side = (int64_t)x;

	return MAX(side + side % 2, 1);
}

/* PREPARE_TILES: the first resize. The longer side becomes `longest`, even if the picture is smaller. */
static void
tiles_enlarge(const struct prepare *p, int64_t height, int64_t width, int64_t *ret_height, int64_t *ret_width)
{
	const double longest = (double)p->longest, aspect = (double)width / (double)height;

	*ret_height = *ret_width = p->longest;
	if (width >= height)
		*ret_height = side_even(longest / aspect);
	else
		*ret_width = side_even(longest * aspect);
}

static int64_t
whole_tiles(const struct prepare *p, double x)
{
	return (int64_t)ceil(x / (double)p->tile) * p->tile;
}

/* PREPARE_TILES: the second resize, to whole tiles; it does not keep the aspect ratio. */
static void
tiles_size(const struct prepare *p, int64_t height, int64_t width, int64_t *ret_height, int64_t *ret_width)
{
	double aspect;

	tiles_enlarge(p, height, width, &height, &width);
	aspect = (double)width / (double)height;
	if (width >= height) {
		*ret_width = whole_tiles(p, (double)width);
		*ret_height = whole_tiles(p, trunc((double)*ret_width / aspect));
	} else {
		*ret_height = whole_tiles(p, (double)height);
		*ret_width = whole_tiles(p, trunc((double)*ret_height * aspect));
	}
}

/* ---- PREPARE_NAFLEX ---- */

/* As for patches, but for any shape, and no side is less than a token. */
static int
naflex_size(const struct prepare *p, int64_t height, int64_t width, int64_t *ret_height, int64_t *ret_width,
	    struct err *e)
{
	const double f = (double)(p->patch * p->merge), h = (double)height, w = (double)width;
	double rows = MAX(f, rint(h / f) * f), cols = MAX(f, rint(w / f) * f), by;

	if (rows * cols > (double)p->pixels_max) {
		by = sqrt(h * w / (double)p->pixels_max);
		rows = MAX(f, floor(h / by / f) * f);
		cols = MAX(f, floor(w / by / f) * f);
	} else if (rows * cols < (double)p->pixels_min) {
		by = sqrt((double)p->pixels_min / (h * w));
		rows = ceil(h * by / f) * f;
		cols = ceil(w * by / f) * f;
	}
	if (rows * cols > (double)(p->patches * p->patch * p->patch))
		return err_set(e, E_BAD_REQUEST,
			       "%lld x %lld pixels: the shorter side is too short for one that long",
			       (long long)width, (long long)height);
	*ret_height = (int64_t)rows;
	*ret_width = (int64_t)cols;
	return 0;
}

static bool
naflex_is_large(const struct prepare *p, const struct picture *in)
{
	const double f = (double)(p->patch * p->merge), least = (double)p->patch;
	const double rows = MAX(least, rint((double)in->height / f) * f);
	const double cols = MAX(least, rint((double)in->width / f) * f);

	return p->tiles_max > 1 && rows * cols > (double)p->pixels_max * p->tolerance;
}

/*
 * The grid whose aspect ratio is nearest to the picture's. The candidates come in the order of their tiles; of two that are
 * equally near, the later one counts if the picture has more than half of its pixels.
 */
static void
naflex_grid(const struct prepare *p, const struct picture *in, int64_t *ret_rows, int64_t *ret_cols)
{
	const double aspect = (double)in->width / (double)in->height;
	const double area = (double)in->width * (double)in->height;
	double nearest = INFINITY, far;
	int64_t n, cols;

	for (n = p->tiles_min; n <= p->tiles_max; n++)
		for (cols = 1; cols <= n; cols++) {
			if (n % cols)
				continue;
			far = fabs(aspect - (double)cols / (double)(n / cols));
			if (far > nearest ||
			    (far == nearest && area <= 0.5 * (double)(p->tile * p->tile) * (double)n))
				continue;
			nearest = far;
			*ret_cols = cols;
			*ret_rows = n / cols;
		}
}

/* ---- PREPARE_PADDED ---- */

static bool
is_beyond(const struct prepare *p, double rows, double cols)
{
	return MAX(rows, cols) > (double)p->longest || rows * cols > (double)p->pixels_max;
}

/* By how much both sides change: the limits of a large picture count more than the minimum of a small one. */
static double
padded_scale(const struct prepare *p, double h, double w)
{
	const double area = h * w;
	double by = area < (double)p->pixels_min ? sqrt((double)p->pixels_min / area) : 1;

	by = MIN(by, (double)p->longest / MAX(h, w));
	return MIN(by, sqrt((double)p->pixels_max / area));
}

/* Uses doubles and the processor's order of operations, as patches_size() does. */
static void
padded_size(const struct prepare *p, int64_t height, int64_t width, int64_t *ret_height, int64_t *ret_width)
{
	const double h = (double)height, w = (double)width, by = padded_scale(p, h, w);
	const double least = (double)p->pixels_min, most = (double)p->pixels_max;
	double rows = MAX(1, rint(h * by)), cols = MAX(1, rint(w * by)), up, across;

	if (is_beyond(p, rows, cols)) {
		rows = MAX(1, floor(h * by));
		cols = MAX(1, floor(w * by));
		if (rows * cols > most && rows >= cols)
			rows = MAX(1, floor(most / cols));
		else if (rows * cols > most)
			cols = MAX(1, floor(most / rows));
	} else if (h * w < least && rows * cols < least) {
		up = MAX(1, ceil(h * by));
		across = MAX(1, ceil(w * by));
		if (!is_beyond(p, up, across)) {
			rows = up;
			cols = across;
		}
	}
	*ret_height = (int64_t)rows;
	*ret_width = (int64_t)cols;
}

/* PREPARE_WHOLE: never enlarged but to the next whole token. */
static int
whole_size(const struct prepare *p, int64_t height, int64_t width, int64_t *ret_height, int64_t *ret_width,
	   struct err *e)
{
	const int64_t side = p->patch * p->merge;
	const double longest = (double)p->longest,
		     by = MAX((double)height / longest, (double)width / longest);

	if (by > 1) {
		height = (int64_t)floor((double)height / by);
		width = (int64_t)floor((double)width / by);
	}
	if (height < 1 || width < 1)
		return err_set(e, E_BAD_REQUEST,
			       "one side of the picture is more than %lld times as long as the other",
			       (long long)p->longest);
	*ret_height = DIV_ROUND_UP(height, side) * side;
	*ret_width = DIV_ROUND_UP(width, side) * side;
	return 0;
}

int
prepare_size(const struct prepare *p, int64_t height, int64_t width, int64_t *ret_height, int64_t *ret_width,
	     struct err *e)
{
	if (height <= 0 || width <= 0)
		return err_set(e, E_BAD_REQUEST, "the picture has no pixels");
	if (p->rule == PREPARE_PATCHES)
		return patches_size(p, height, width, ret_height, ret_width, e);
	if (p->rule == PREPARE_NAFLEX)
		return naflex_size(p, height, width, ret_height, ret_width, e);
	if (p->rule == PREPARE_WHOLE)
		return whole_size(p, height, width, ret_height, ret_width, e);
	*ret_height = p->height;
	*ret_width = p->width;
	if (p->rule == PREPARE_TILES)
		tiles_size(p, height, width, ret_height, ret_width);
	if (p->rule == PREPARE_PADDED)
		padded_size(p, height, width, ret_height, ret_width);
	return 0;
}

/* ---- pixels ---- */

/* To the nearest bfloat16, halves to even; x is finite. */
static float
bf16_round(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	bits += 0x7fff + (bits >> 16 & 1);
	bits &= 0xffff0000;
	memcpy(&x, &bits, sizeof(x));
	return x;
}

float
prepare_level(const struct prepare *p, int colour, int level)
{
	const float x = ((float)level - p->mean[colour]) / p->std[colour];

	return p->rule == PREPARE_WHOLE ? bf16_round(x) : x;
}

static float
normalised(const struct prepare *p, const struct picture *in, int64_t y, int64_t x, int c)
{
	return prepare_level(p, c, picture_row(in, y)[x * 3 + c]);
}

static int
pixels_alloc(struct prepared *ret, struct err *e)
{
	size_t count = 1;
	int i;

	for (i = 0; i < ret->rank; i++)
		count *= (size_t)ret->dim[i]; /* no overflow: a few times the picture's pixels */
	ret->pixels = calloc(count, sizeof(*ret->pixels));
	return ret->pixels ? 0 : err_no_memory(e);
}

/* Writes a square, or the whole picture, as three planes; returns the position after them. */
static float *
planes_put(const struct prepare *p, const struct picture *in, int64_t top, int64_t left, int64_t height,
	   int64_t width, float *to)
{
	int64_t y, x;
	int c;

	for (c = 0; c < 3; c++)
		for (y = top; y < top + height; y++)
			for (x = left; x < left + width; x++)
				*to++ = normalised(p, in, y, x, c);
	return to;
}

/* Writes a patch: its rows, for each colour and each frame. */
static float *
patch_put(const struct prepare *p, const struct picture *in, int64_t top, int64_t left, float *to)
{
	int64_t frame, y, x;
	int c;

	for (c = 0; c < 3; c++)
		for (frame = 0; frame < p->frames; frame++)
			for (y = top; y < top + p->patch; y++)
				for (x = left; x < left + p->patch; x++)
					*to++ = normalised(p, in, y, x, c);
	return to;
}

/* Writes the tokens row by row, and within a token its merge x merge patches row by row. */
static int
patches_cut(const struct prepare *p, const struct picture *in, struct prepared *ret, struct err *e)
{
	const int64_t side = p->patch * p->merge;
	int64_t y, x, i;
	float *to;
	int r;

	ret->rows = in->height / p->patch;
	ret->cols = in->width / p->patch;
	ret->rank = 2;
	ret->dim[0] = ret->rows * ret->cols;
	ret->dim[1] = 3 * p->frames * p->patch * p->patch;
	r = pixels_alloc(ret, e);
	to = ret->pixels;
	for (y = 0; r == 0 && y < in->height; y += side)
		for (x = 0; x < in->width; x += side)
			for (i = 0; i < p->merge * p->merge; i++)
				to = patch_put(p, in, y + i / p->merge * p->patch,
					       x + i % p->merge * p->patch, to);
	return r;
}

static int
whole_put(const struct prepare *p, const struct picture *in, struct prepared *ret, struct err *e)
{
	int r;

	ret->rows = ret->cols = 1;
	if (p->rule == PREPARE_WHOLE) {
		ret->rows = in->height / (p->patch * p->merge);
		ret->cols = in->width / (p->patch * p->merge);
	}
	ret->rank = 4;
	ret->dim[0] = 1;
	ret->dim[1] = 3;
	ret->dim[2] = in->height;
	ret->dim[3] = in->width;
	r = pixels_alloc(ret, e);
	if (r == 0)
		(void)planes_put(p, in, 0, 0, in->height, in->width, ret->pixels);
	return r;
}

/*
 * Writes the tiles row by row, then the whole picture in the size of one tile. A picture with a single tile
 * has only that tile.
 */
static int
tiles_cut(const struct prepare *p, const struct picture *in, struct prepared *ret, struct err *e)
{
	_cleanup_(picture_release) struct picture whole = PICTURE_INIT;
	const int64_t rows = in->height / p->tile, cols = in->width / p->tile;
	const bool one = rows * cols == 1;
	int64_t i;
	float *to;
	int r;

	ret->rows = one ? 0 : rows;
	ret->cols = one ? 0 : cols;
	ret->rank = 4;
	ret->dim[0] = ret->rows * ret->cols + 1;
	ret->dim[1] = 3;
	ret->dim[2] = ret->dim[3] = p->tile;
	r = pixels_alloc(ret, e);
	if (r == 0)
		r = resize(in, p->tile, p->tile, p->filter, p->library, &whole, e);
	if (r < 0)
		return r;
	to = ret->pixels;
	for (i = 0; i < ret->rows * ret->cols; i++)
		to = planes_put(p, in, i / cols * p->tile, i % cols * p->tile, p->tile, p->tile, to);
	(void)planes_put(p, &whole, 0, 0, p->tile, p->tile, to);
	return 0;
}

/* Writes the patches of a part of the picture row by row, and within a patch its pixels row by row. */
static void
colours_last_put(const struct prepare *p, const struct picture *in, int64_t top, int64_t left, int64_t height,
		 int64_t width, float *to)
{
	int64_t row, col, y, x;
	int c;

	for (row = top; row < top + height; row += p->patch)
		for (col = left; col < left + width; col += p->patch)
			for (y = row; y < row + p->patch; y++)
				for (x = col; x < col + p->patch; x++)
					for (c = 0; c < 3; c++)
						*to++ = normalised(p, in, y, x, c);
}

/* Cuts `large`, in whole tiles, if the picture is large (else NULL), and puts `whole` behind it, if there is one. */
static int
naflex_cut(const struct prepare *p, const struct picture *large, const struct picture *whole,
	   struct prepared *ret, struct err *e)
{
	int64_t i, each;
	int r;

	ret->rows = large ? large->height / p->tile : 0;
	ret->cols = large ? large->width / p->tile : 0;
	ret->whole_rows = whole ? whole->height / p->patch : 0;
	ret->whole_cols = whole ? whole->width / p->patch : 0;
	ret->rank = 3;
	ret->dim[0] = ret->rows * ret->cols + (whole != NULL);
	ret->dim[1] = p->patches;
	ret->dim[2] = p->patch * p->patch * 3;
	each = ret->dim[1] * ret->dim[2];
	r = pixels_alloc(ret, e);
	if (r < 0)
		return r;
	for (i = 0; i < ret->rows * ret->cols; i++)
		colours_last_put(p, large, i / ret->cols * p->tile, i % ret->cols * p->tile, p->tile, p->tile,
				 ret->pixels + i * each);
	if (whole)
		colours_last_put(p, whole, 0, 0, whole->height, whole->width, ret->pixels + i * each);
	return 0;
}

static int
naflex_run(const struct prepare *p, const struct picture *in, const struct picture *whole,
	   struct prepared *ret, struct err *e)
{
	_cleanup_(picture_release) struct picture large = PICTURE_INIT;
	int64_t rows = 1, cols = 1;
	int r;

	if (!naflex_is_large(p, in))
		return naflex_cut(p, NULL, whole, ret, e);
	naflex_grid(p, in, &rows, &cols);
	r = resize(in, rows * p->tile, cols * p->tile, p->filter, p->library, &large, e);
	return r < 0 ? r : naflex_cut(p, &large, p->whole ? whole : NULL, ret, e);
}

/* The same picture with black on the right and below, so that its sides are whole patches. */
static int
padded_make(const struct prepare *p, const struct picture *in, struct picture *ret, struct err *e)
{
	const int64_t rows = (in->height + p->patch - 1) / p->patch;
	const int64_t cols = (in->width + p->patch - 1) / p->patch;
	int64_t y;
	int r = picture_alloc(ret, (uint64_t)(rows * p->patch), (uint64_t)(cols * p->patch), e);

	if (r < 0)
		return r;
	memset(ret->rgb, 0, (size_t)(ret->height * ret->width * 3));
	for (y = 0; y < in->height; y++)
		memcpy(ret->rgb + y * ret->width * 3, picture_row(in, y), (size_t)in->width * 3);
	return 0;
}

static int
padded_cut(const struct prepare *p, const struct picture *in, struct prepared *ret, struct err *e)
{
	_cleanup_(picture_release) struct picture whole = PICTURE_INIT;
	int r;

	r = padded_make(p, in, &whole, e);
	if (r < 0)
		return r;
	ret->rows = whole.height / p->patch;
	ret->cols = whole.width / p->patch;
	ret->rank = 2;
	ret->dim[0] = ret->rows * ret->cols;
	ret->dim[1] = 3 * p->patch * p->patch;
	r = pixels_alloc(ret, e);
	if (r == 0)
		colours_last_put(p, &whole, 0, 0, whole.height, whole.width, ret->pixels);
	return r;
}

static int
resized_get(const struct prepare *p, const struct picture *in, struct picture *ret, struct err *e)
{
	_cleanup_(picture_release) struct picture large = PICTURE_INIT;
	int64_t height, width, first_height, first_width;
	int r;

	r = prepare_size(p, in->height, in->width, &height, &width, e);
	if (r < 0 || p->rule != PREPARE_TILES)
		return r < 0 ? r : resize(in, height, width, p->filter, p->library, ret, e);
	tiles_enlarge(p, in->height, in->width, &first_height, &first_width);
	r = resize(in, first_height, first_width, p->filter, p->library, &large, e);
	return r < 0 ? r : resize(&large, height, width, p->filter, p->library, ret, e);
}

int
prepare_run(const struct prepare *p, const struct picture *in, struct prepared *ret, struct err *e)
{
	_cleanup_(picture_release) struct picture at_size = PICTURE_INIT;
	_cleanup_(prepared_release) struct prepared made = PREPARED_INIT;
	int r;

	r = resized_get(p, in, &at_size, e);
	if (r < 0)
		return r;
	switch (p->rule) {
	case PREPARE_PATCHES:
		r = patches_cut(p, &at_size, &made, e);
		break;
	case PREPARE_TILES:
		r = tiles_cut(p, &at_size, &made, e);
		break;
	case PREPARE_NAFLEX:
		r = naflex_run(p, in, &at_size, &made, e);
		break;
	case PREPARE_PADDED:
		r = padded_cut(p, &at_size, &made, e);
		break;
	default:
		r = whole_put(p, &at_size, &made, e);
	}
	if (r < 0)
		return r;
	*ret = made;
	made = (struct prepared)PREPARED_INIT;
	return 0;
}
