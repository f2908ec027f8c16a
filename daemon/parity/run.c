#include "run.h"

#include <math.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"
#include "extras.h"
#include "checkpoint/convert.h"

/* Size of a symbolic dim in a blank image's tensor: the patches of the smallest image, 2 x 2. */
#define BLANK_DIM 4

/* Limit for elements of blank images, because a graph may declare any dims. */
#define BLANK_COUNT_MAX ((size_t)1 << 28)

const char *
pixels_name(enum pixels p)
{
	static const char *const names[] = {[PIXELS_ZEROS] = "zeros", [PIXELS_NONE] = "none"};

	return names[p];
}

bool
run_applies(const struct parity_case *c, enum variant v, enum pixels p)
{
	if (variant_takes_picture(v))
		return c->has_picture && (c->want || v == VARIANT_PREPROCESS) && p == PIXELS_CASE;
	if (!c->want)
		return false;
	if (c->has_pixels)
		return variant_takes(v, /*images=*/true) && p == PIXELS_CASE;
	return variant_takes(v, /*images=*/false) && (p != PIXELS_CASE) == variant_takes(v, /*images=*/true);
}

static void
feed_free(struct ort_tensor *feed, size_t count)
{
	size_t i;

	for (i = 0; feed && i < count; i++)
		ort_tensor_release(&feed[i]);
	free(feed);
}

_Static_assert((int)ORT_RANK_MAX == (int)TENSOR_RANK_MAX, "a case's shape fits");

/* Whole numbers as the graph wants them: int64, int32, or true and false. */
static bool
whole_convert(const struct st_tensor *t, enum elem to, void *dst)
{
	int64_t x;
	int64_t i;

	for (i = 0; i < t->count; i++) {
		memcpy(&x, t->data + i * sizeof(x), sizeof(x));
		if (to == ELEM_I32)
			((int32_t *)dst)[i] = (int32_t)x;
		else if (to == ELEM_BOOL)
			((bool *)dst)[i] = x != 0;
		else
			return false;
	}
	return true;
}

static bool
elements_convert(const struct st_tensor *t, enum elem to, void *dst)
{
	if (t->dtype == to) {
		if (t->len)
			memcpy(dst, t->data, t->len);
		return true;
	}
	if (t->dtype == ELEM_I64)
		return whole_convert(t, to, dst);
	if (t->dtype != ELEM_F32 || (to != ELEM_F16 && to != ELEM_BF16))
		return false;
	convert(t->dtype, to, t->data, (size_t)t->count, dst);
	return true;
}

/* The runtime checks the dims. So a graph with baked-in sizes fails its case, and the program continues. */
static int
feed_from_case(const struct parity_case *c, const struct st_tensor *t, const struct ort_input *in,
	       struct ort_tensor *ret, struct err *e)
{
	ret->type = in->type;
	ret->rank = t->rank;
	memcpy(ret->shape, t->shape, sizeof(ret->shape));
	ret->len = (size_t)t->count * elem_size(in->type);
	ret->data = malloc(ret->len + 1);
	if (!ret->data)
		return err_no_memory(e);
	if (!elements_convert(t, in->type, ret->data))
		return err_set(e, E_BAD_REFERENCE, "'%s': '%s' must be %s, not %s", c->path, t->name,
			       elem_name(in->type), elem_name(t->dtype));
	return 0;
}

/*
 * Makes blank images for a text case, one per row, or no images. Whole numbers are image grids: 1 x 2 x 2
 * patches.
 */
static int
feed_blank(const struct run *r, const struct ort_input *in, struct ort_tensor *ret, struct err *e)
{
	static const int64_t grid[] = {1, 2, 2};
	size_t count = 1, i;
	int64_t *whole, dim;
	int k;

	ret->type = in->type;
	ret->rank = in->rank;
	for (k = 0; k < in->rank; k++) {
		dim = in->shape[k] >= 0 ? in->shape[k] : k == 0 ? (int64_t)r->c->batch : BLANK_DIM;
		if (k == 0 && r->pixels == PIXELS_NONE)
			dim = 0;
		ret->shape[k] = dim;
		if (__builtin_mul_overflow(count, (size_t)dim, &count) || count > BLANK_COUNT_MAX)
			return err_set(e, E_BAD_ONNX, "input '%s' of the %s graph is too large", in->name,
				       variant_name(r->variant));
	}
	ret->data = calloc(count + 1, elem_size(in->type));
	if (!ret->data)
		return err_set(e, E_NO_MEMORY, "memory ran out for input '%s'", in->name);
	ret->len = count * elem_size(in->type);
	if (in->type == ELEM_I64) {
		whole = ret->data;
		for (i = 0; i < count; i++)
			whole[i] = grid[i % ARRAY_LEN(grid)];
	}
	return 0;
}

/*
 * Whether a text case may leave out this input. Inputs about tokens are whole numbers [batch, tokens].
 * Inputs about images are other numbers, or a fixed count of whole numbers for each image, such as its
 * height and width. Names are not compared, so that graphs from any exporter can be checked.
 */
static bool
is_image_input(const struct ort_input *in)
{
	return (in->type != ELEM_I64 && in->type != ELEM_I32 && in->type != ELEM_BOOL) ||
	       (in->rank > 0 && in->shape[in->rank - 1] >= 0);
}

static int
feed_fill(const struct run *r, const struct ort_input *in, struct ort_tensor *ret, struct err *e)
{
	const struct st_tensor *t = case_input_find(r->c, in->name);

	if (in->type == ELEM_MAX)
		return err_set(e, E_BAD_ONNX, "input '%s' of the %s graph has an unknown type", in->name,
			       variant_name(r->variant));
	if (t)
		return feed_from_case(r->c, t, in, ret, e);
	if (r->pixels != PIXELS_CASE && is_image_input(in))
		return feed_blank(r, in, ret, e);
	return err_set(
		e, E_BAD_REFERENCE,
		"'%s' has no 'in.%s', an input of the %s graph; --input NAME=CASE_NAME says which one it is",
		r->c->path, in->name, variant_name(r->variant));
}

static int
feed_make(const struct run *r, const struct ort_session *s, struct ort_tensor **ret, struct err *e)
{
	size_t i, count = ort_input_count(s);
	struct ort_tensor *feed = calloc(count, sizeof(*feed));
	int k = feed ? 0 : err_no_memory(e);

	for (i = 0; k == 0 && i < count; i++)
		k = feed_fill(r, ort_input_get(s, i), &feed[i], e);
	if (k < 0)
		feed_free(feed, count);
	else
		*ret = feed;
	return k;
}

static void
shape_put(struct buf *b, const int64_t *dim, int rank)
{
	int i;

	for (i = 0; i < rank; i++)
		buf_printf(b, "%s%lld", i ? ", " : "", (long long)dim[i]);
}

static int
shape_check(const struct parity_case *c, const struct ort_tensor *out, struct err *e)
{
	const int64_t each[] = {(int64_t)c->batch, (int64_t)c->tokens, (int64_t)c->dim};
	const int64_t one[] = {(int64_t)c->batch, (int64_t)c->dim};
	const int64_t *want = c->one_each ? one : each;
	const int rank = c->one_each ? 2 : 3;
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	if (out->rank == rank && memcmp(out->shape, want, (size_t)rank * sizeof(*want)) == 0)
		return 0;
	buf_puts(&b, "the output has the shape [");
	shape_put(&b, out->shape, out->rank);
	buf_puts(&b, "], not [");
	shape_put(&b, want, rank);
	buf_puts(&b, "]");
	r = buf_failed(&b, e);
	return r < 0 ? r : err_set(e, E_PARITY, "%s", b.data);
}

static double
seconds_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Runs and compares. An error here is the graph's fault, or memory ran out. */
static int
run_compare(struct run *r, struct ort_session *s, const struct ort_tensor *feed, const struct limits *l,
	    struct err *e)
{
	const size_t n = ort_output_count(s);
	_cleanup_free_ struct ort_tensor *out = calloc(n, sizeof(*out));
	const struct parity_case *c = r->c;
	const bool extras = extras_any(s), beside = beside_any(c, s);
	double start = seconds_now();
	size_t i;
	int k;

	r->beside = calloc(n, sizeof(*r->beside));
	if (!out || !r->beside)
		return err_no_memory(e);
	k = extras || beside ? ort_run_all(s, feed, out, e) : ort_run(s, feed, out, e);
	r->seconds = seconds_now() - start;
	if (k == 0)
		k = shape_check(c, &out[0], e);
	if (k == 0 && out[0].type != ELEM_F32)
		k = err_set(e, E_BAD_ONNX, "the first output is neither float32 nor float16");
	if (k == 0 && extras)
		k = extras_check(c, s, out, e);
	if (k == 0 && beside)
		k = beside_compare(c, s, out, r->beside, &r->n_beside, e);
	if (k == 0)
		r->got = TAKE(out[0].data);
	for (i = 0; i < n; i++)
		ort_tensor_release(&out[i]);
	if (k < 0)
		return k;
	if (c->unmasked)
		case_mask_apply(c, r->got);
	compare_embeddings(c->want, r->got, c->valid, c->batch * c->tokens, c->dim, &r->cmp);
	k = compare_judge(&r->cmp, l, e);
	return k < 0 ? k : beside_judge(r->beside, r->n_beside, l, e);
}

/* Counts the samples of a float32 output that differ; one grey level changes the output by `level`. */
static void
levels_add(struct levels *l, const float *got, const unsigned char *want, size_t count, float level)
{
	float w;
	double d;
	size_t i;

	for (i = 0; i < count; i++) {
		memcpy(&w, want + i * sizeof(w), sizeof(w));
		d = fabs((double)got[i] - w) / level;
		l->differing += got[i] != w;
		l->max = isfinite(d) ? MAX(l->max, d) : INFINITY;
	}
	l->samples += count;
}

static int
output_compare(struct run *r, const char *name, const struct ort_tensor *got, float level, struct err *e)
{
	const struct st_tensor *want = case_input_find(r->c, name);

	if (!want)
		return 0;
	if (want->dtype != got->type || want->rank != got->rank || want->len != got->len ||
	    memcmp(want->shape, got->shape, (size_t)got->rank * sizeof(*got->shape)) != 0)
		return err_set(e, E_PARITY, "the output '%s' has another shape or type than in.%s", name,
			       name);
	if (got->type == ELEM_F32)
		levels_add(&r->levels, got->data, want->data, got->len / sizeof(float), level);
	else if (memcmp(want->data, got->data, got->len) != 0)
		return err_set(e, E_PARITY, "the output '%s' differs from in.%s", name, name);
	return 0;
}

static int
levels_judge(const struct levels *l, struct err *e)
{
	if (l->max <= LEVELS_MAX && (double)l->differing <= LEVELS_SHARE_MAX * (double)l->samples)
		return 0;
	return err_set(e, E_PARITY, "%zu of %zu samples differ, by up to %.3g grey levels", l->differing,
		       l->samples, l->max);
}

/* An error here is the graph's fault, or memory ran out. */
static int
run_preprocess(struct run *r, struct ort_session *s, const struct ort_tensor *feed, struct err *e)
{
	const struct st_tensor *level = case_input_find(r->c, "grey_level");
	const size_t count = ort_output_count(s);
	_cleanup_free_ struct ort_tensor *out = calloc(count, sizeof(*out));
	const double start = seconds_now();
	float one = 1;
	size_t i;
	int k;

	if (!out)
		return err_no_memory(e);
	if (level && level->dtype == ELEM_F32 && level->count == 1)
		memcpy(&one, level->data, sizeof(one));
	k = ort_run_all(s, feed, out, e);
	r->seconds = seconds_now() - start;
	if (k < 0)
		return k;
	for (i = 0; i < count; i++) {
		if (k == 0)
			k = output_compare(r, ort_output_name(s, i), &out[i], one, e);
		ort_tensor_release(&out[i]);
	}
	return k < 0 ? k : levels_judge(&r->levels, e);
}

int
run_case(struct run *r, struct ort_session *s, const struct limits *l, struct err *e)
{
	struct ort_tensor *feed;
	int k;

	k = feed_make(r, s, &feed, e);
	if (k < 0)
		return k;
	k = r->variant == VARIANT_PREPROCESS ? run_preprocess(r, s, feed, &r->why)
					     : run_compare(r, s, feed, l, &r->why);
	feed_free(feed, ort_input_count(s));
	return k == 0 || k == E_PARITY || k == E_BAD_ONNX ? 0 : err_set(e, k, "%s", r->why.msg);
}

void
run_release(struct run *r)
{
	free(r->got);
	r->got = NULL;
	beside_release(r->beside, r->n_beside);
	r->beside = NULL;
	r->n_beside = 0;
}
