/*
 * Weights in 8 bits against their definition: the arithmetic, the plan of a small graph, and the bytes in the file, of a matrix
 * and a table that are longer than one piece of the pipeline.
 */
#include "test.h"

#include <float.h>
#include <math.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/str.h"
#include "checkpoint/stwriter.h"
#include "onnx/extdata.h"
#include "onnx/quantize.h"
#include "onnx/rounding.h"

/* ---- arithmetic ---- */

/*
 * Searches by definition: the result is the whole number within bounds that is nearest to x / scale. If two are
 * equally near, it is the even one.
 */
static int
nearest(double x, double scale)
{
	int q, best = -QUANTIZE_MAX;
	double d, least = INFINITY;

	for (q = -QUANTIZE_MAX; q <= QUANTIZE_MAX; q++) {
		d = fabs(x / scale - q);
		if (d < least || (d <= least && q % 2 == 0)) {
			least = d;
			best = q;
		}
	}
	return best;
}

TEST(test_ties_go_to_the_even_number)
{
	static const float x[] = {0.5f,   1.5f,   2.5f,    -0.5f,       -1.5f, -2.5f,
				  126.5f, 127.5f, -127.5f, 0.49999997f, -0.0f};
	static const int8_t want[] = {0, 2, 2, 0, -2, -2, 126, 127, -127, 0, 0};
	float ones[ARRAY_LEN(x)], in_place[ARRAY_LEN(x)];
	int8_t got[ARRAY_LEN(x)];
	size_t i;

	for (i = 0; i < ARRAY_LEN(x); i++)
		ones[i] = 1;
	quantize_all(x, 1, ARRAY_LEN(x), got);
	assert_memory_equal(got, want, sizeof(want));
	quantize_each(x, 1, ones, ARRAY_LEN(x), got);
	assert_memory_equal(got, want, sizeof(want));
	memcpy(in_place, x, sizeof(x));
	quantize_each(in_place, 1, ones, ARRAY_LEN(x), (int8_t *)in_place);
	assert_memory_equal(in_place, want, sizeof(want));
}

/* Rows of every length around the vector width of the CPU, with and without factors. */
TEST(test_rows)
{
	struct rng rng = {5};
	float w[700], smooth[700], scale;
	int8_t q[700];
	size_t n, k;
	int lone;

	for (n = 1; n <= ARRAY_LEN(w); n += n < 70 ? 1 : 63)
		for (lone = 0; lone < 2; lone++) {
			double most = 0;

			for (k = 0; k < n; k++) {
				w[k] = rng_normal(&rng) * (rng_below(&rng, 50) == 0 ? 40 : 1);
				smooth[k] = ldexpf(1, (int)rng_below(&rng, 7) - 3);
			}
			for (k = 0; k < n; k++) {
				const double v = (double)w[k] * (double)smooth[k];
				const double next = k + 1 < n ? (double)w[k + 1] * (double)smooth[k + 1] : 0;

				most = fmax(most, fabs(v));
				if (k % 2 == 0 && !lone)
					most = fmax(most, fabs(v + next));
			}
			scale = quantize_scale(w, smooth, n, /*products=*/!lone);
			assert_true(fabs((double)scale - most / 127) <= most / 127 * 1e-6);
			for (k = 0; k < n; k++) {
				quantize_all(&(float){w[k] * smooth[k]}, scale, 1, &q[k]);
				if (q[k] != nearest((double)w[k] * (double)smooth[k], (double)scale))
					fail_msg("%g / %g gives %d", (double)(w[k] * smooth[k]),
						 (double)scale, q[k]);
			}
			for (k = 0; k + 1 < n && !lone; k += 2)
				assert_in_range(q[k] + q[k + 1] + 128, 0, 256);
		}
}

TEST(test_extremes)
{
	float w[40] = {0};
	int8_t q[40];
	size_t k;

	/* A row of zeros gets a scale that is not 0, because the row is divided by it. */
	assert_true(quantize_scale(w, NULL, 40, true) > 0);
	quantize_all(w, quantize_scale(w, NULL, 40, true), 40, q);
	for (k = 0; k < 40; k++)
		assert_int_equal(q[k], 0);
	/* One huge weight uses the whole range, so the others become 0. */
	w[7] = 1e30f;
	w[8] = 1;
	quantize_all(w, quantize_scale(w, NULL, 40, true), 40, q);
	assert_int_equal(q[7], 127);
	assert_int_equal(q[8], 0);
	w[7] = 1e-42f; /* below the smallest normal number */
	w[8] = 0;
	assert_true(quantize_scale(w, NULL, 40, true) >= FLT_MIN);
	for (k = 0; k < 40; k++) {
		memset(w, 0, sizeof(w));
		w[k] = NAN;
		assert_false(isfinite(quantize_scale(w, NULL, 40, true)));
		w[k] = -INFINITY;
		assert_false(isfinite(quantize_scale(w, NULL, 40, false)));
	}
}

/* ---- plan and file ---- */

#define OUT 1501
#define IN 2203 /* OUT x IN floats are more than one piece */
#define WORDS 1999

static char dir[64];
static struct st_file *ckpt;
static struct weight matrix, second, table, broken;
static float *numbers;

static float
number(size_t i)
{
	return numbers[i];
}

static void
ckpt_make(void)
{
	static const struct {
		const char *name;
		int64_t rows, cols;
	} tensors[] = {{"lm.a", OUT, IN}, {"lm.b", 3, IN}, {"lm.words", WORDS, IN}, {"lm.broken", 2, IN}};
	_cleanup_free_ char *path = str_printf("%s/model.safetensors", dir);
	struct weight *const all[] = {&matrix, &second, &table, &broken};
	struct err e = ERR_INIT;
	struct rng rng = {11};
	struct stw *w = NULL;
	size_t i, k;

	numbers = malloc((size_t)WORDS * IN * sizeof(*numbers));
	assert_non_null(numbers);
	for (k = 0; k < (size_t)WORDS * IN; k++)
		numbers[k] = rng_normal(&rng) * (k % IN == 5 ? 0.01f : 1);
	(void)stw_new(path, &w, &e);
	for (i = 0; i < ARRAY_LEN(tensors); i++)
		(void)stw_add(w, tensors[i].name, ELEM_F32, 2,
			      (const int64_t[]){tensors[i].rows, tensors[i].cols}, &e);
	(void)stw_begin(w, &e);
	for (i = 0; i < ARRAY_LEN(tensors); i++) {
		if (i == 3)
			numbers[IN + 1] =
				NAN; /* only the last tensor: the map still has the scales of the others */
		(void)stw_data(w, numbers, (size_t)(tensors[i].rows * tensors[i].cols) * sizeof(float), &e);
	}
	(void)stw_finish(w, &e);
	stw_free(&w);
	(void)st_open(path, E_BAD_CHECKPOINT, &ckpt, &e);
	assert_no_error(&e);
	memcpy(&numbers[IN + 1], st_find(ckpt, "lm.a")->data + (IN + 1) * sizeof(float), sizeof(float));
	for (i = 0; i < ARRAY_LEN(tensors); i++)
		*all[i] = (struct weight){tensors[i].name, st_find(ckpt, tensors[i].name), ckpt};
}

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "test_quantize.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	ckpt_make();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(numbers);
	st_free(&ckpt);
	return fs_remove(dir, NULL);
}

static bool
any(const char *weight _unused_)
{
	return true;
}

static struct ir_value *
weight_value(struct ir_graph *g, const struct weight *w)
{
	const struct shape s = shape_of(2, dim_const(w->tensor->shape[0]), dim_const(w->tensor->shape[1]));
	struct ir_value *v = graph_value_add(g, IR_WEIGHT, ELEM_F32, &s, w->name);

	v->weight = w;
	return v;
}

static struct ir_value *
node_add(struct ir_graph *g, enum ir_op op, struct ir_value *a, struct ir_value *b, const char *name)
{
	struct ir_value *in[] = {a, b};
	struct ir_node *n = graph_node_add(g, &g->block, op, in, 2, &(struct ir_attr){.i = 0});
	struct err e = ERR_INIT;
	enum elem elem;
	struct shape s;

	assert_int_equal(infer_node(n, &elem, &s, &e), 0);
	n->out = graph_value_add(g, IR_RESULT, elem, &s, name);
	n->out->node = n;
	return n->out;
}

/* words -> rows -> a and b */
static struct ir_graph *
graph_make(const struct weight *first)
{
	const struct shape tokens = shape_of(2, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE));
	struct err e = ERR_INIT;
	struct ir_value *x;
	struct ir_graph *g;

	assert_int_equal(graph_new("text", &g, &e), 0);
	x = graph_value_add(g, IR_INPUT, ELEM_I64, &tokens, "input_ids");
	x = node_add(g, OP_GATHER, weight_value(g, &table), x, "rows");
	(void)node_add(g, OP_LINEAR, x, weight_value(g, first), "first");
	(void)node_add(g, OP_LINEAR, x, weight_value(g, &second), "second");
	return g;
}

static struct rounding *
plan_make(struct ir_graph *g, const float *seen, size_t tokens)
{
	struct rounding *r = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(rounding_new(any, &r, &e), 0);
	assert_int_equal(rounding_add_graph(r, g, &e), 0);
	assert_true(rounding_wants(r, g->block.node[0]->out));
	assert_false(rounding_wants(r, g->block.node[1]->out));
	if (seen)
		assert_int_equal(rounding_observe(r, g->block.node[0]->out, seen, tokens, &e), 0);
	(void)rounding_fit(r, NULL, NULL, &e);
	assert_no_error(&e);
	return r;
}

/* The bytes of the file: of the matrix element (k, n) at k * OUT + n, of the table in its order. */
static void
file_check(const struct rounding *r)
{
	const struct rounded *a = rounding_find(r, &matrix), *t = rounding_find(r, &table);
	const struct extdata_form form_a = {.dtype = ELEM_I8, .rounded = a, .rows = OUT, .cols = IN};
	const struct extdata_form form_t = {.dtype = ELEM_I8, .rounded = t};
	const struct extdata_form form_s = {.dtype = ELEM_F32, .floats = a->scale, .n_floats = OUT};
	_cleanup_free_ char *path = str_printf("%s/data", dir);
	char sha256[SHA256_HEX_LEN + 1];
	struct extdata_place pa, pt, ps;
	struct extdata *x = NULL;
	struct err e = ERR_INIT;
	struct map map;
	size_t k, n;

	(void)extdata_new("data", 0, &x, &e);
	(void)extdata_add(x, &matrix, &form_a, &pa, &e);
	(void)extdata_add(x, &table, &form_t, &pt, &e);
	(void)extdata_add(x, &matrix, &form_s, &ps, &e);
	(void)extdata_write(x, 0, path, NULL, NULL, sha256, &e);
	(void)map_open(path, E_IO, &map, &e);
	assert_no_error(&e);
	assert_int_equal(pa.len, OUT * IN);
	assert_int_equal(pt.len, WORDS * IN);
	assert_memory_equal(map.data + ps.offset, a->scale, OUT * sizeof(float));
	for (n = 0; n < OUT; n++)
		for (k = 0; k < IN; k++) {
			const double c = a->input->smooth ? (double)a->input->smooth[k] : 1;
			const double v = (double)number(n * IN + k) * c / (double)a->scale[n];
			const int q = (int8_t)map.data[pa.offset + k * OUT + n];

			if (!(fabs(v - q) <= 0.5 + 1e-4))
				fail_msg("input %zu of output %zu is %d, not %g", k, n, q, v);
		}
	for (n = 0; n < WORDS; n++)
		for (k = 0; k < IN; k++) {
			const double v = (double)number(n * IN + k) / (double)t->scale[n];
			const int q = (int8_t)map.data[pt.offset + n * IN + k];

			if (!(fabs(v - q) <= 0.5 + 1e-4))
				fail_msg("element %zu of word %zu is %d, not %g", k, n, q, v);
		}
	map_close(&map);
	extdata_free(&x);
}

TEST(test_file)
{
	struct ir_graph *g = graph_make(&matrix);
	struct rounding *r = plan_make(g, NULL, 0);

	assert_int_equal(rounding_count(r), 3);
	assert_null(rounding_find(r, &matrix)->input->smooth);
	file_check(r);
	rounding_free(&r);
	graph_free(&g);
}

/* Channel 5 is 30 times larger than the other channels, and its weights are 100 times smaller. */
static float *
outliers_make(size_t tokens)
{
	float *x = malloc(tokens * IN * sizeof(*x));
	struct rng rng = {3};
	size_t i;

	assert_non_null(x);
	for (i = 0; i < tokens * IN; i++)
		x[i] = rng_normal(&rng) * (i % IN == 5 ? 30 : 1);
	return x;
}

/* Computes the relative error of x W^T in 8 bits with plain loops. The estimate must be close to it. */
static double
error_measure(const struct rounded *m, const float *x, size_t tokens)
{
	double wrong = 0, right = 0, a, b, step, v, c;
	size_t t, n, k;

	for (t = 0; t < tokens; t++, x += IN) {
		for (step = 0, k = 0; k < IN; k++)
			step = fmax(step, fabs((double)x[k] /
					       (m->input->smooth ? (double)m->input->smooth[k] : 1)) /
						  127);
		for (n = 0; n < 60; n++) {
			for (a = b = 0, k = 0; k < IN; k++) {
				c = m->input->smooth ? (double)m->input->smooth[k] : 1;
				v = (double)number(n * IN + k);
				a += (double)x[k] * v;
				b += nearest((double)x[k] / c, step) * step *
				     nearest(v * c, (double)m->scale[n]) * (double)m->scale[n];
			}
			wrong += (a - b) * (a - b);
			right += a * a;
		}
	}
	return sqrt(wrong / right);
}

TEST(test_smoothing)
{
	struct ir_graph *g = graph_make(&matrix);
	float *x = outliers_make(3);
	struct rounding *r = plan_make(g, x, 3);
	const struct rounded *m = rounding_find(r, &matrix);
	const float *smooth = m->input->smooth;
	double measured;
	size_t k;

	assert_non_null(smooth);
	assert_ptr_equal(m->input, rounding_find(r, &second)->input);
	for (k = 0; k < IN; k++) {
		assert_true(k == 5 ? smooth[k] >= 16 : smooth[k] <= 4);
		assert_true(frexpf(smooth[k], &(int){0}) <= 0.5f);
		assert_true(smooth[k] * m->input->unsmooth[k] >= 1 && smooth[k] * m->input->unsmooth[k] <= 1);
	}
	measured = error_measure(m, x, 3);
	if (!(m->error > measured / 1.3 && m->error < measured * 1.3))
		fail_msg("the error is %g, and %g was estimated", measured, m->error);
	file_check(r);
	rounding_free(&r);
	free(x);
	graph_free(&g);
}

TEST(test_keeps_the_largest_errors)
{
	struct ir_graph *g = graph_make(&matrix);
	float *x = outliers_make(3);
	struct rounding *r = plan_make(g, x, 3);

	assert_int_equal(rounding_keep_more(r, 0), 0);
	assert_int_equal(rounding_keep_more(r, 1e-9), 1);
	assert_true(rounding_find(r, &matrix)->kept ==
		    (rounding_find(r, &matrix)->error > rounding_find(r, &second)->error));
	assert_int_equal(rounding_keep_more(r, 1),
			 1); /* the table is not in the plan: it is in no matrix product */
	assert_int_equal(rounding_keep_more(r, 1), 0);
	rounding_free(&r);
	free(x);
	graph_free(&g);
}

TEST(test_a_weight_that_is_not_finite)
{
	struct ir_graph *g = graph_make(&broken);
	struct rounding *r = NULL;
	struct err e = ERR_INIT;

	(void)rounding_new(any, &r, &e);
	(void)rounding_add_graph(r, g, &e);
	assert_int_equal(rounding_fit(r, NULL, NULL, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "lm.broken");
	rounding_free(&r);
	graph_free(&g);
}

int
main(void)
{
	return tests_run("quantize", setup, teardown);
}
