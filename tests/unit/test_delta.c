/*
 * The gated delta rule and the causal convolution against their definitions, computed here token by token in double: in
 * libtorch, and in ONNX Runtime by the graphs of both targets. What goes wrong with such a rule shows only in some data: keys that are
 * alike, strong decays among weak ones, many tokens.
 */
#include "runtime.h"

#include <math.h>

#include "base/rng.h"
#include "base/str.h"
#include "onnx/onnx.h"
#include "onnx/release.h"
#include "onnx/target.h"
#include "trace/eval.h"
#include "trace/trace.h"

#define LIMIT 5e-6 /* of the largest number of a result */
#define EPS 1e-6   /* of the norm of q and k */

static const struct form {
	const char *name;
	struct onnx_options options;
} forms[] = {
	{"portable", {.half = false}},
	{"portable fp16", {.half = true}}, /* the rule stays in float32 */
	{"ort", {.target = &target_ort}},
	{"ort fp16", {.target = &target_ort, .half = true}},
};

static struct dim
n(int64_t k)
{
	return dim_const(k);
}

static struct ir_value *
tokens_of(struct trace *t, const char *name, int rank, int64_t heads, int64_t width)
{
	return tr_input(t, name, ELEM_F32,
			shape_of(rank, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE), n(heads), n(width)));
}

/* ---- a graph, its inputs and its results ---- */

#define INPUTS_MAX 6

struct input {
	const char *name;
	float *data;
	int64_t width; /* numbers of a token */
};

struct run {
	struct ir_graph *g;
	struct ort_session *s[ARRAY_LEN(forms)]; /* NULL: too new a form */
	struct input in[INPUTS_MAX];
	size_t n_in;
	int64_t batch, tokens;
};

/* Ends the trace, and opens the graph in each form that this ONNX Runtime is new enough for. */
static void
run_open(struct run *r, struct trace *t, struct ir_value *output, const char *name)
{
	struct err e = ERR_INIT;
	size_t i;

	(void)trace_finish(t, output, "embeddings", &r->g, &e);
	assert_no_error(&e);
	for (i = 0; i < ARRAY_LEN(forms); i++) {
		_cleanup_(onnx_export_free) struct onnx_export *job = NULL;
		_cleanup_free_ char *file = str_printf("%s-%zu.onnx", name, i);
		_cleanup_free_ char *path = fs_join(dir, file);

		(void)onnx_export_new(dir, &forms[i].options, &job, &e);
		(void)onnx_export_add(job, r->g, file, &e);
		(void)onnx_export_write(job, NULL, NULL, &e);
		if (release_parse(ort_version()) >= onnx_export_graph(job, 0)->runtime)
			(void)ort_session_new(path, 1, &r->s[i], &e);
		assert_no_error(&e);
	}
}

static void
run_release(struct run *r)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(forms); i++)
		ort_session_free(&r->s[i]);
	graph_free(&r->g);
}

static struct sizes
run_sizes(const struct run *r)
{
	struct sizes s = {{0}};

	s.of[SYM_BATCH] = r->batch;
	s.of[SYM_SEQUENCE] = r->tokens;
	return s;
}

static struct input *
run_input(struct run *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->n_in; i++)
		if (str_eq(r->in[i].name, name))
			return &r->in[i];
	fail_msg("no input '%s'", name);
	return NULL;
}

static float *
libtorch_run(struct run *r, size_t *ret_count)
{
	_cleanup_(eval_free) struct eval *ev = NULL;
	const struct sizes sizes = run_sizes(r);
	struct err e = ERR_INIT;
	float *ret;
	size_t i;

	*ret_count = (size_t)dim_eval(shape_count(&r->g->output->shape), &sizes);
	ret = malloc(*ret_count * sizeof(*ret));
	assert_non_null(ret);
	(void)eval_new(r->g, TT_CPU, &sizes, &ev, &e);
	for (i = 0; i < r->g->n_value; i++)
		if (r->g->value[i]->kind == IR_INPUT)
			(void)eval_feed(ev, r->g->value[i], run_input(r, r->g->value[i]->name)->data, &e);
	(void)eval_run(ev, &e);
	(void)eval_read(ev, r->g->output, ret, *ret_count * sizeof(*ret), &e);
	assert_no_error(&e);
	return ret;
}

static float *
ort_form_run(struct run *r, size_t form, size_t count)
{
	const struct ort_session *s = r->s[form];
	struct ort_tensor in[INPUTS_MAX], out = {0};
	struct err e = ERR_INIT;
	const struct input *x;
	size_t i;

	for (i = 0; i < ort_input_count(s); i++) {
		const struct ort_input *d = ort_input_get(s, i);

		x = run_input(r, d->name);
		in[i] = (struct ort_tensor){.type = ELEM_F32, .rank = d->rank, .data = x->data};
		memcpy(in[i].shape, d->shape, sizeof(in[i].shape));
		in[i].shape[0] = r->batch;
		in[i].shape[1] = r->tokens;
		in[i].len = (size_t)(r->batch * r->tokens * x->width) * sizeof(float);
	}
	(void)ort_run(r->s[form], in, &out, &e);
	assert_no_error(&e);
	assert_int_equal(out.len, count * sizeof(float));
	return out.data;
}

/* A NaN is as far away as can be. */
static double
distance(const double *want, const float *got, size_t count)
{
	double most = 0, apart = 0, d;
	size_t i;

	for (i = 0; i < count; i++) {
		most = fmax(most, fabs(want[i]));
		d = fabs(want[i] - (double)got[i]);
		apart = isnan(d) ? INFINITY : fmax(apart, d);
	}
	return most > 0 ? apart / most : apart;
}

static double worst[ARRAY_LEN(forms) + 1]; /* of libtorch and of each form */

static void
result_check(const double *want, float *got, size_t count, size_t place, const char *where, const char *what)
{
	const double apart = distance(want, got, count);

	free(got);
	worst[place] = fmax(worst[place], apart);
	if (!(apart <= LIMIT))
		fail_msg("%s: %s is off by %.3g of the largest number", what, where, apart);
}

/* Compares what libtorch and each form compute with `want`. */
static void
run_compare(struct run *r, const double *want, const char *what)
{
	size_t count, i;
	float *got = libtorch_run(r, &count);

	result_check(want, got, count, 0, "libtorch", what);
	for (i = 0; i < ARRAY_LEN(forms); i++)
		if (r->s[i])
			result_check(want, ort_form_run(r, i, count), count, i + 1, forms[i].name, what);
}

/* ---- the rule ---- */

struct heads {
	int64_t groups, shared, key, width; /* of k; of v for each of these; the widths of k and v */
};

enum regime { INITIAL, WEAK, NONE, STRONG, MIXED, BETA_0, BETA_1, ALIKE, OPPOSITE, REPEATED, REGIMES };
static const char *const regime_names[] = {"as initialised", "weak decay",      "no decay",    "strong decay",
					   "mixed decay",    "beta near 0",     "beta near 1", "alike keys",
					   "opposite keys",  "a repeated token"};

static double
uniform(struct rng *rng)
{
	return (double)(rng_u64(rng) >> 11) / 9007199254740992.0;
}

static double
decay_of(enum regime g, struct rng *rng)
{
	switch (g) {
	case INITIAL:
		return -(0.01 + 16 * uniform(rng)) * log1p(exp(1 + (double)rng_normal(rng)));
	case NONE:
		return 0;
	case STRONG:
		return -30 - 60 * uniform(rng);
	case MIXED:
		return uniform(rng) < 0.15 ? -50 - 150 * uniform(rng) : -0.01 * fabs((double)rng_normal(rng));
	case ALIKE:
	case OPPOSITE:
	case REPEATED:
		return -1e-3;
	default:
		return -0.2 * uniform(rng);
	}
}

static double
beta_of(enum regime g, struct rng *rng)
{
	switch (g) {
	case BETA_0:
		return 1e-3 * uniform(rng);
	case BETA_1:
		return 1 - 1e-4 * uniform(rng);
	case ALIKE:
	case OPPOSITE:
		return 0.99;
	case REPEATED:
		return 0.6;
	default:
		return 1 / (1 + exp(-(double)rng_normal(rng)));
	}
}

static void
input_add(struct run *r, const char *name, int64_t width)
{
	float *data = malloc((size_t)(r->batch * r->tokens * width) * sizeof(*data));

	assert_non_null(data);
	r->in[r->n_in++] = (struct input){name, data, width};
}

static void
inputs_release(struct run *r)
{
	while (r->n_in)
		free(r->in[--r->n_in].data);
}

/* Keys of a regime: alike ones are a direction of their head with 1 % of noise. */
static void
keys_fill(const struct input *x, int64_t tokens, enum regime g, struct rng *rng)
{
	const bool alike = g == ALIKE || g == OPPOSITE;
	int64_t i, j;
	float sign;

	for (i = 0; i < tokens; i++) {
		sign = g == OPPOSITE && rng_below(rng, 2) ? -1 : 1;
		for (j = 0; j < x->width; j++)
			x->data[i * x->width + j] =
				alike ? sign * ((float)(j % 3) - 0.7f + 0.01f * rng_normal(rng))
				      : rng_normal(rng);
	}
}

/*
 * All tokens as the first, with a query that is not far from its key: one at a right angle reads almost nothing, and of that rounding
 * is a large part. Errors that are at right angles to the key are not corrected by any token, and add up until they decay.
 */
static void
token_repeat(struct run *r, struct rng *rng)
{
	const struct input *q = run_input(r, "q"), *k = run_input(r, "k"), *x;
	int64_t i;
	size_t j;

	for (i = 0; i < q->width; i++)
		q->data[i] = k->data[i] + 0.5f * rng_normal(rng);
	for (j = 0; j < r->n_in; j++) {
		x = &r->in[j];
		for (i = 1; i < r->batch * r->tokens; i++)
			memcpy(x->data + i * x->width, x->data, (size_t)x->width * sizeof(float));
	}
}

static void
inputs_fill(struct run *r, enum regime g, struct rng *rng)
{
	const int64_t tokens = r->batch * r->tokens;
	const struct input *x;
	size_t k;
	int64_t i;

	for (k = 0; k < r->n_in; k++) {
		x = &r->in[k];
		if (str_eq(x->name, "k"))
			keys_fill(x, tokens, g, rng);
		for (i = 0; i < tokens * x->width; i++)
			if (str_eq(x->name, "decay"))
				x->data[i] = (float)decay_of(g, rng);
			else if (str_eq(x->name, "beta"))
				x->data[i] = (float)beta_of(g, rng);
			else if (str_eq(x->name, "q")) /* so small that EPS counts */
				x->data[i] = 1e-3f * rng_normal(rng);
			else if (!str_eq(x->name, "k"))
				x->data[i] = rng_normal(rng);
	}
	if (g == REPEATED)
		token_repeat(r, rng);
}

/* x / sqrt(sum(x^2) + EPS) */
static void
unit(const float *x, int64_t width, double *ret)
{
	double sum = EPS;
	int64_t i;

	for (i = 0; i < width; i++)
		sum += (double)x[i] * (double)x[i];
	for (i = 0; i < width; i++)
		ret[i] = (double)x[i] / sqrt(sum);
}

#define WIDTH_MAX 64

/* The state of a head, before and after one token. */
static void
token_step(double *state, const double *q, const double *k, const float *v, double decay, double beta,
	   const struct heads *h, double scale, double *ret)
{
	double known, change;
	int64_t i, j;

	for (i = 0; i < h->key * h->width; i++)
		state[i] *= exp(decay);
	for (j = 0; j < h->width; j++) {
		for (i = 0, known = 0; i < h->key; i++)
			known += state[i * h->width + j] * k[i];
		change = beta * ((double)v[j] - known);
		for (i = 0, ret[j] = 0; i < h->key; i++) {
			state[i * h->width + j] += k[i] * change;
			ret[j] += scale * state[i * h->width + j] * q[i];
		}
	}
}

static double *
rule_in_double(struct run *r, const struct heads *h, double scale)
{
	const int64_t all = h->groups * h->shared;
	const float *q = run_input(r, "q")->data, *k = run_input(r, "k")->data, *v = run_input(r, "v")->data,
		    *decay = run_input(r, "decay")->data, *beta = run_input(r, "beta")->data;
	double *ret = calloc((size_t)(r->batch * r->tokens * all * h->width), sizeof(*ret)),
	       state[WIDTH_MAX * WIDTH_MAX], uq[WIDTH_MAX], uk[WIDTH_MAX];
	int64_t b, i, head, at, from;

	assert_non_null(ret);
	for (b = 0; b < r->batch; b++)
		for (head = 0; head < all; head++) {
			memset(state, 0, sizeof(state));
			for (i = 0; i < r->tokens; i++) {
				at = (b * r->tokens + i) * all + head;
				from = ((b * r->tokens + i) * h->groups + head / h->shared) * h->key;
				unit(q + from, h->key, uq);
				unit(k + from, h->key, uk);
				token_step(state, uq, uk, v + at * h->width, (double)decay[at],
					   (double)beta[at], h, scale, ret + at * h->width);
			}
		}
	return ret;
}

static void
rule_open(struct run *r, const struct heads *h, double scale)
{
	const struct sizes traced = {.of = {[SYM_BATCH] = 2, [SYM_SEQUENCE] = 3}};
	const int64_t all = h->groups * h->shared;
	_cleanup_(trace_free) struct trace *t = NULL;
	struct ir_value *q, *k, *v, *decay, *beta;
	struct err e = ERR_INIT;

	(void)trace_new("rule", NULL, &traced, &t, &e);
	assert_no_error(&e);
	q = tokens_of(t, "q", 4, h->groups, h->key);
	k = tokens_of(t, "k", 4, h->groups, h->key);
	v = tokens_of(t, "v", 4, all, h->width);
	decay = tokens_of(t, "decay", 3, all, 1);
	beta = tokens_of(t, "beta", 3, all, 1);
	q = tr_l2_normalize_eps(t, q, EPS);
	k = tr_l2_normalize_eps(t, k, EPS);
	run_open(r, t, tr_delta_rule(t, q, k, v, decay, beta, scale), "rule");
}

static void
rule_run(struct run *r, const struct heads *h, double scale, enum regime g, int64_t batch, int64_t tokens)
{
	struct rng rng = {(uint64_t)(tokens * REGIMES + g)};
	char what[128];
	double *want;

	r->batch = batch;
	r->tokens = tokens;
	input_add(r, "q", h->groups * h->key);
	input_add(r, "k", h->groups * h->key);
	input_add(r, "v", h->groups * h->shared * h->width);
	input_add(r, "decay", h->groups * h->shared);
	input_add(r, "beta", h->groups * h->shared);
	inputs_fill(r, g, &rng);
	(void)snprintf(what, sizeof(what), "%s, %d rows of %d tokens, %d x %d heads", regime_names[g],
		       (int)batch, (int)tokens, (int)h->groups, (int)h->shared);
	want = rule_in_double(r, h, scale);
	run_compare(r, want, what);
	free(want);
	inputs_release(r);
}

static void
worst_tell(const char *what)
{
	size_t i;

	print_message("%s: libtorch %.2g", what, worst[0]);
	for (i = 0; i < ARRAY_LEN(forms); i++)
		print_message(", %s %.2g", forms[i].name, worst[i + 1]);
	print_message("\n");
	memset(worst, 0, sizeof(worst));
}

TEST(test_delta_rule)
{
	static const struct heads heads[] = {{2, 1, 8, 8}, {1, 2, 64, 48}, {2, 3, 12, 20}};
	static const int64_t tokens[] = {1, 2, 31, 32, 33, 63, 64, 65, 150, 300};
	size_t i, k;
	int g;

	if (!have_runtime)
		skip();
	for (i = 0; i < ARRAY_LEN(heads); i++) {
		const double scale = 1 / sqrt((double)heads[i].key);
		struct run r = {.n_in = 0};

		rule_open(&r, &heads[i], scale);
		for (g = 0; g < REGIMES; g++)
			for (k = 0; k < ARRAY_LEN(tokens); k++)
				rule_run(&r, &heads[i], scale, (enum regime)g, 1 + (int64_t)k % 3, tokens[k]);
		run_release(&r);
	}
	worst_tell("up to 300 tokens");
}

/* As a page: blank areas are one token many times. */
TEST(test_delta_rule_of_many_tokens)
{
	static const enum regime regimes[] = {MIXED, ALIKE, OPPOSITE, REPEATED, NONE};
	static const struct heads heads = {1, 2, 32, 16};
	struct run r = {.n_in = 0};
	size_t i;

	if (!have_runtime)
		skip();
	rule_open(&r, &heads, 0.25);
	for (i = 0; i < ARRAY_LEN(regimes); i++)
		rule_run(&r, &heads, 0.25, regimes[i], 1, 4096);
	run_release(&r);
	worst_tell("4096 tokens");
}

/* ---- the convolution ---- */

#define CHANNELS 5
#define TAPS_MAX 4

static float
tap(int64_t channel, int64_t j)
{
	return 0.3f * (float)(channel + 1) - 0.7f * (float)j + (j == 1 ? 0.5f : 0);
}

static struct ir_value *
taps_table(struct trace *t, int64_t channels, int64_t taps)
{
	float w[64];
	int64_t i, j;

	assert_true(channels * taps <= (int64_t)ARRAY_LEN(w));
	for (i = 0; i < channels; i++)
		for (j = 0; j < taps; j++)
			w[i * taps + j] = tap(i, j);
	return tr_table(t, "taps", shape_of(3, n(channels), n(1), n(taps)), w);
}

static double *
conv_in_double(struct run *r, int64_t taps)
{
	const float *x = run_input(r, "x")->data;
	double *ret = calloc((size_t)(r->batch * r->tokens * CHANNELS), sizeof(*ret));
	int64_t b, s, c, j, from;

	assert_non_null(ret);
	for (b = 0; b < r->batch; b++)
		for (s = 0; s < r->tokens; s++)
			for (c = 0; c < CHANNELS; c++)
				for (j = 0; j < taps; j++) {
					from = s - (taps - 1) + j;
					if (from >= 0)
						ret[(b * r->tokens + s) * CHANNELS + c] +=
							(double)tap(c, j) *
							(double)x[(b * r->tokens + from) * CHANNELS + c];
				}
	return ret;
}

static void
conv_run(struct run *r, int64_t taps, int64_t batch, int64_t tokens)
{
	struct rng rng = {(uint64_t)tokens};
	double *want;
	float *got;
	size_t i, count;

	r->batch = batch;
	r->tokens = tokens;
	input_add(r, "x", CHANNELS);
	inputs_fill(r, INITIAL, &rng);
	want = conv_in_double(r, taps);
	got = libtorch_run(r, &count);
	result_check(want, got, count, 0, "libtorch", "convolution");
	for (i = 0; i < ARRAY_LEN(forms); i++) {
		got = ort_form_run(r, i, count);
		if (forms[i].options.half) {
			assert_true(distance(want, got, count) < 2e-3);
			free(got);
		} else {
			result_check(want, got, count, i + 1, forms[i].name, "convolution");
		}
	}
	free(want);
	inputs_release(r);
}

TEST(test_causal_conv)
{
	static const int64_t tokens[] = {1, 2, 3, 4, 5, 37};
	int64_t taps;
	size_t i;

	if (!have_runtime)
		skip();
	for (taps = 1; taps <= TAPS_MAX; taps++) {
		const struct sizes traced = {.of = {[SYM_BATCH] = 2, [SYM_SEQUENCE] = 3}};
		_cleanup_(trace_free) struct trace *t = NULL;
		struct run r = {.n_in = 0};
		struct err e = ERR_INIT;
		struct ir_value *x;

		(void)trace_new("conv", NULL, &traced, &t, &e);
		assert_no_error(&e);
		x = tokens_of(t, "x", 3, CHANNELS, 1);
		run_open(&r, t, tr_causal_conv(t, x, taps_table(t, CHANNELS, taps)), "conv");
		for (i = 0; i < ARRAY_LEN(tokens); i++)
			conv_run(&r, taps, 2, tokens[i]);
		run_release(&r);
	}
	worst_tell("convolution");
}

/* ---- padding ---- */

#define LAYER_WIDTH 16 /* q 4, k 4, v 4, decay 2, beta 2: a group of two heads */

/* A layer as families have it: what is masked becomes 0 by a Where, before the convolution and the rule. */
static void
layer_open(struct run *r)
{
	const struct sizes traced = {.of = {[SYM_BATCH] = 2, [SYM_SEQUENCE] = 3}};
	const struct dim b = dim_symbol(SYM_BATCH), s = dim_symbol(SYM_SEQUENCE);
	_cleanup_(trace_free) struct trace *t = NULL;
	struct ir_value *x, *real, *m, *q, *k, *v, *decay, *beta;
	struct err e = ERR_INIT;

	(void)trace_new("layer", NULL, &traced, &t, &e);
	assert_no_error(&e);
	x = tokens_of(t, "x", 3, LAYER_WIDTH, 1);
	real = tr_less(t, tr_f32(t, 0), tokens_of(t, "real", 3, 1, 1));
	x = tr_where(t, real, x, tr_f32(t, 0));
	m = tr_causal_conv(t, x, taps_table(t, LAYER_WIDTH, TAPS_MAX));
	q = tr_reshape(t, tr_slice(t, m, 2, 0, 4), shape_of(4, b, s, n(1), n(4)));
	k = tr_reshape(t, tr_slice(t, m, 2, 4, 8), shape_of(4, b, s, n(1), n(4)));
	v = tr_reshape(t, tr_slice(t, m, 2, 8, 12), shape_of(4, b, s, n(2), n(2)));
	q = tr_l2_normalize_eps(t, q, EPS);
	k = tr_l2_normalize_eps(t, k, EPS);
	decay = tr_slice(t, x, 2, 12, 14);
	decay = tr_mul(t, decay, decay);
	decay = tr_sub(t, tr_f32(t, -0.01), decay);
	beta = tr_cos(t, tr_slice(t, x, 2, 14, 16));
	beta = tr_mul(t, beta, beta);
	run_open(r, t, tr_delta_rule(t, q, k, v, decay, beta, 0.5), "layer");
}

/* Puts `before` and `after` rows of padding, which hold NaN, around the tokens of `x`. */
static void
padded_fill(struct run *r, const float *x, int64_t tokens, int64_t before, int64_t after)
{
	struct input *to, *real;
	int64_t i, j;

	r->batch = 1;
	r->tokens = before + tokens + after;
	input_add(r, "x", LAYER_WIDTH);
	input_add(r, "real", 1);
	to = run_input(r, "x");
	real = run_input(r, "real");
	for (i = 0; i < r->tokens; i++) {
		const bool is_real = i >= before && i < before + tokens;

		real->data[i] = is_real ? 1 : 0;
		for (j = 0; j < LAYER_WIDTH; j++)
			to->data[i * LAYER_WIDTH + j] = is_real ? x[(i - before) * LAYER_WIDTH + j] : NAN;
	}
}

#define LAYER_OUT 4 /* numbers of a token */

static void
padded_compare(struct run *r, const float *x, int64_t tokens, int64_t before, int64_t after,
	       const double *want)
{
	const size_t skipped = (size_t)before * LAYER_OUT, real = (size_t)tokens * LAYER_OUT;
	char what[64];
	size_t i, count;
	float *all;

	(void)snprintf(what, sizeof(what), "%d rows before and %d after", (int)before, (int)after);
	padded_fill(r, x, tokens, before, after);
	for (i = 0; i <= ARRAY_LEN(forms); i++) {
		if (i && !r->s[i - 1])
			continue;
		all = i == 0 ? libtorch_run(r, &count) : ort_form_run(r, i - 1, count);
		if (i && forms[i - 1].options.half)
			assert_true(distance(want, all + skipped, real) < 2e-2);
		else if (!(distance(want, all + skipped, real) <= LIMIT))
			fail_msg("%s: %s is off by %.3g", what, i ? forms[i - 1].name : "libtorch",
				 distance(want, all + skipped, real));
		free(all);
	}
	inputs_release(r);
}

/* Real rows are as without padding, on whichever side it is, and whatever its rows hold. */
TEST(test_padding)
{
	static const int64_t pads[][2] = {{0, 1}, {1, 0}, {0, 40}, {40, 0}, {3, 5}, {64, 0}, {33, 31}};
	enum { TOKENS = 45 };
	float x[TOKENS * LAYER_WIDTH], *plain;
	double want[TOKENS * LAYER_OUT];
	struct run r = {.n_in = 0};
	struct rng rng = {5};
	size_t i, count;

	if (!have_runtime)
		skip();
	for (i = 0; i < ARRAY_LEN(x); i++)
		x[i] = rng_normal(&rng);
	layer_open(&r);
	padded_fill(&r, x, TOKENS, 0, 0);
	plain = libtorch_run(&r, &count);
	assert_int_equal(count, ARRAY_LEN(want));
	for (i = 0; i < count; i++)
		want[i] = (double)plain[i];
	free(plain);
	inputs_release(&r);
	padded_compare(&r, x, TOKENS, 0, 0, want);
	for (i = 0; i < ARRAY_LEN(pads); i++)
		padded_compare(&r, x, TOKENS, pads[i][0], pads[i][1], want);
	run_release(&r);
}

int
main(void)
{
	return tests_run("delta", runtime_setup, runtime_teardown);
}
