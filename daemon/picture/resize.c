#include "resize.h"

#include <math.h>

#include "format.h"

/* The weights of one axis: `samples` outputs, each a sum over at most `taps` inputs. */
struct axis {
	int64_t samples, taps;
	int bits;           /* a weight of 1 is 2^bits */
	int64_t *first, *n; /* for each output: the range of inputs that the filter covers */
	double *exact;      /* [samples, taps] */
	int32_t *weight;    /* likewise, rounded */
};

static void
axis_release(struct axis *a)
{
	free(a->first);
	free(a->n);
	free(a->exact);
	free(a->weight);
}

static double
bilinear(double x)
{
	return MAX(1 - fabs(x), 0);
}

static double
bicubic(double x)
{
	const double a = -0.5;

	x = fabs(x);
	if (x < 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double
sinc(double x)
{
	return x == 0 ? 1 : sin(x * M_PI) / (x * M_PI);
}

static double
lanczos(double x)
{
	return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static const struct {
	double (*at)(double x);
	double support;
} filters[] = {
	[RESIZE_BILINEAR] = {bilinear, 1},
	[RESIZE_BICUBIC] = {bicubic, 2},
	[RESIZE_LANCZOS] = {lanczos, 3},
};

/* Computes the weights of output `i`, which sum to 1, with the same order of operations as the libraries. */
static void
weights_make(struct axis *a, int64_t i, int64_t inputs, enum resize_filter filter)
{
	const double scale = (double)inputs / (double)a->samples, wide = MAX(scale, 1);
	const double support = filters[filter].support * wide, centre = ((double)i + 0.5) * scale;
	double *w = a->exact + i * a->taps, sum = 0;
	int64_t k;

	a->first[i] = MAX((int64_t)(centre - support + 0.5), 0);
	a->n[i] = MIN((int64_t)(centre + support + 0.5), inputs) - a->first[i];
	for (k = 0; k < a->n[i]; k++) {
		w[k] = filters[filter].at(((double)(k + a->first[i]) - centre + 0.5) * (1 / wide));
		sum += w[k];
	}
	for (k = 0; k < a->n[i]; k++)
		w[k] /= sum;
}

static int
bits_get(const struct axis *a, enum resize_library library)
{
	double largest = 0;
	int64_t i;
	int bits = 0;

	if (library == RESIZE_PILLOW)
		return RESIZE_BITS_MAX;
	for (i = 0; i < a->samples * a->taps; i++)
		largest = MAX(largest, a->exact[i]);
	while (bits < RESIZE_BITS_MAX && 0.5 + ldexp(largest, bits + 1) < RESIZE_WEIGHT_MAX)
		bits++;
	return bits;
}

static int
axis_make(struct axis *a, int64_t inputs, int64_t outputs, enum resize_filter filter,
	  enum resize_library library, struct err *e)
{
	const double scale = (double)inputs / (double)outputs;
	double w;
	int64_t i;

	a->samples = outputs;
	a->taps = 2 * (int64_t)ceil(filters[filter].support * MAX(scale, 1)) + 1;
	a->first = calloc((size_t)outputs, sizeof(*a->first));
	a->n = calloc((size_t)outputs, sizeof(*a->n));
	a->exact = calloc((size_t)outputs * (size_t)a->taps, sizeof(*a->exact));
	a->weight = calloc((size_t)outputs * (size_t)a->taps, sizeof(*a->weight));
	if (!a->first || !a->n || !a->exact || !a->weight)
		return err_no_memory(e);
	for (i = 0; i < outputs; i++)
		weights_make(a, i, inputs, filter);
	a->bits = bits_get(a, library);
	for (i = 0; i < outputs * a->taps; i++) {
		w = ldexp(a->exact[i], a->bits);
		a->weight[i] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
	}
	return 0;
}

/* Computes one output sample of one colour; neighbours along the axis are `step` bytes apart. */
static unsigned char
sample(const struct axis *a, int64_t i, const unsigned char *line, int64_t step)
{
	const int32_t *w = a->weight + i * a->taps;
	int64_t k, sum = (int64_t)1 << (a->bits - 1);

	line += a->first[i] * step;
	for (k = 0; k < a->n[i]; k++)
		sum += w[k] * line[k * step];
	return (unsigned char)MAX(0, MIN(sum >> a->bits, 255));
}

static void
rows_resize(const struct axis *a, const struct picture *in, struct picture *out)
{
	int64_t x, y, c;

	for (y = 0; y < out->height; y++)
		for (x = 0; x < out->width; x++)
			for (c = 0; c < 3; c++)
				picture_row(out, y)[x * 3 + c] = sample(a, x, picture_row(in, y) + c, 3);
}

static void
columns_resize(const struct axis *a, const struct picture *in, struct picture *out)
{
	int64_t x, y;

	for (y = 0; y < out->height; y++)
		for (x = 0; x < out->width * 3; x++)
			picture_row(out, y)[x] = sample(a, y, in->rgb + x, in->width * 3);
}

int
resize(const struct picture *in, int64_t height, int64_t width, enum resize_filter filter,
       enum resize_library library, struct picture *ret, struct err *e)
{
	_cleanup_(axis_release) struct axis across = {.n = NULL}, down = {.n = NULL};
	_cleanup_(picture_release) struct picture between = PICTURE_INIT, out = PICTURE_INIT;
	int r;

	r = picture_alloc(&between, (uint64_t)in->height, (uint64_t)width, e);
	if (r == 0)
		r = picture_alloc(&out, (uint64_t)height, (uint64_t)width, e);
	if (r == 0)
		r = axis_make(&across, in->width, width, filter, library, e);
	if (r == 0)
		r = axis_make(&down, in->height, height, filter, library, e);
	if (r < 0)
		return r;
	rows_resize(&across, in, &between);
	columns_resize(&down, &between, &out);
	*ret = out;
	out = (struct picture)PICTURE_INIT;
	return 0;
}
