#include "rounding.h"

#include <math.h>

#include "base/str.h"
#include "quantize.h"

#define TOKENS_MAX 16         /* kept of an input's tokens */
#define TOKENS_EACH 2         /* of one case */
#define READ_COUNT (1u << 20) /* floats at a time */
#define SMOOTH_EXPONENT_MAX 12

/* How much of an outlier goes over to the weights; the first is none. SmoothQuant's is 1/2. */
static const double strengths[] = {0, 0.5, 0.75};
#define STRENGTHS ARRAY_LEN(strengths)

/* A Mul in the graph must be worth it. */
#define WORTH 0.95

struct rounding {
	rounding_rule_fn *may;
	struct rounding_input **input;
	size_t n_input;
	struct rounded *row;
	size_t n_row;
};

/* What one input's matrices are fitted with. */
struct fit {
	struct rounding_input *input;
	float *smooth[STRENGTHS]; /* [width]; NULL: all 1 */
	float *top;               /* [width]: the largest weight of a channel, of all matrices */
	float *power;             /* [width]: sum of squares, of one matrix */
	double error[STRENGTHS];  /* sums over the matrices */
};

int
rounding_new(rounding_rule_fn *may, struct rounding **ret, struct err *e)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return err_no_memory(e);
	(*ret)->may = may;
	return 0;
}

static void
input_free(struct rounding_input *in)
{
	if (!in)
		return;
	free(in->name);
	free(in->largest);
	free(in->token);
	free(in->smooth);
	free(in->unsmooth);
	free(in);
}

void
rounding_free(struct rounding **rp)
{
	struct rounding *r = *rp;
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->n_input; i++)
		input_free(r->input[i]);
	for (i = 0; i < r->n_row; i++)
		free(r->row[i].scale);
	free(r->input);
	free(r->row);
	free(r);
	*rp = NULL;
}

/* ---- what there is ---- */

static struct rounding_input *
input_find(const struct rounding *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->n_input; i++)
		if (str_eq(r->input[i]->name, name))
			return r->input[i];
	return NULL;
}

static struct rounding_input *
input_get(struct rounding *r, const char *name, size_t width)
{
	struct rounding_input *in = input_find(r, name), **all;

	if (in)
		return in;
	all = realloc(r->input, (r->n_input + 1) * sizeof(*all));
	if (!all)
		return NULL;
	r->input = all;
	in = calloc(1, sizeof(*in));
	if (!in)
		return NULL;
	in->name = strdup(name);
	in->largest = calloc(width, sizeof(*in->largest));
	in->width = width;
	if (!in->name || !in->largest) {
		input_free(in);
		return NULL;
	}
	return all[r->n_input++] = in;
}

static struct rounded *
row_find(const struct rounding *r, const struct weight *w)
{
	size_t i;

	for (i = 0; i < r->n_row; i++)
		if (r->row[i].weight == w)
			return &r->row[i];
	return NULL;
}

static int
row_add(struct rounding *r, const struct ir_value *v, struct rounding_input *in, struct err *e)
{
	struct rounded *row = realloc(r->row, (r->n_row + 1) * sizeof(*row));

	if (!row)
		return err_no_memory(e);
	r->row = row;
	row += r->n_row;
	*row = (struct rounded){.weight = v->weight,
				.input = in,
				.rows = (size_t)v->shape.dim[0].num,
				.cols = (size_t)v->shape.dim[1].num};
	row->scale = calloc(row->rows, sizeof(*row->scale));
	if (!row->scale)
		return err_no_memory(e);
	r->n_row++;
	return 0;
}

static bool
is_matrix(const struct rounding *r, const struct ir_value *v)
{
	return v->kind == IR_WEIGHT && v->shape.rank == 2 && v->transform == IR_AS_IS &&
	       v->shape.dim[0].num * v->shape.dim[1].num == v->weight->tensor->count &&
	       r->may(v->weight->name);
}

static int
node_add(struct rounding *r, const struct ir_node *n, struct err *e)
{
	const bool table = n->op == OP_GATHER;
	const struct ir_value *v = table ? n->in[0] : n->in[1];
	struct rounding_input *in = NULL;
	struct rounded *row;

	if (!is_matrix(r, v))
		return 0;
	row = row_find(r, v->weight);
	if (row) {
		row->both |= table != (row->input == NULL);
		return 0;
	}
	if (!table) {
		in = input_get(r, n->in[0]->name, (size_t)v->shape.dim[1].num);
		if (!in)
			return err_no_memory(e);
		if (in->width != (size_t)v->shape.dim[1].num)
			return err_set(e, E_INTERNAL, "'%s' has two widths in the graphs", in->name);
	}
	return row_add(r, v, in, e);
}

static int
block_add(struct rounding *r, const struct ir_block *b, struct err *e)
{
	const struct ir_node *n;
	size_t i;
	int k = 0;

	for (i = 0; i < b->n && k == 0; i++) {
		n = b->node[i];
		if (n->op == OP_LINEAR || n->op == OP_GATHER)
			k = node_add(r, n, e);
		if (n->op != OP_IF)
			continue;
		k = block_add(r, n->attr.then_block, e);
		if (k == 0)
			k = block_add(r, n->attr.else_block, e);
	}
	return k;
}

int
rounding_add_graph(struct rounding *r, const struct ir_graph *g, struct err *e)
{
	return block_add(r, &g->block, e);
}

const struct rounded *
rounding_find(const struct rounding *r, const struct weight *w)
{
	const struct rounded *row = row_find(r, w);

	return row && !row->both ? row : NULL;
}

size_t
rounding_count(const struct rounding *r)
{
	return r->n_row;
}

const struct rounded *
rounding_get(const struct rounding *r, size_t i)
{
	return &r->row[i];
}

/* ---- activations ---- */

bool
rounding_wants(const struct rounding *r, const struct ir_value *v)
{
	return input_find(r, v->name) != NULL;
}

static float
magnitude(const float *x, size_t n)
{
	float top = 0;
	size_t k;

	for (k = 0; k < n; k++)
		top = MAX(top, fabsf(x[k]));
	return top;
}

static void
token_keep(struct rounding_input *in, const float *x)
{
	if (in->n_token < TOKENS_MAX)
		memcpy(in->token + in->n_token++ * in->width, x, in->width * sizeof(*x));
}

int
rounding_observe(struct rounding *r, const struct ir_value *v, const float *x, size_t tokens, struct err *e)
{
	struct rounding_input *in = input_find(r, v->name);
	size_t t, k, extreme = 0;
	float top = -1, m;

	if (!in || tokens == 0)
		return 0;
	if (!in->token)
		in->token = malloc(TOKENS_MAX * in->width * sizeof(*in->token));
	if (!in->token)
		return err_no_memory(e);
	for (t = 0; t < tokens; t++) {
		for (k = 0; k < in->width; k++)
			in->largest[k] = MAX(in->largest[k], fabsf(x[t * in->width + k]));
		m = magnitude(x + t * in->width, in->width);
		if (m > top) {
			top = m;
			extreme = t;
		}
	}
	token_keep(in, x + extreme * in->width);
	if (tokens >= TOKENS_EACH)
		token_keep(in, x + tokens / 2 * in->width);
	return 0;
}

/* ---- the fit ---- */

typedef void row_fn(void *arg, size_t row, const float *w, size_t n);

/* Calls fn for each row of the checkpoint's matrix. */
static int
rows_read(const struct rounded *m, row_fn *fn, void *arg, struct err *e)
{
	const size_t each = MAX(READ_COUNT / m->cols, 1);
	_cleanup_free_ float *w = malloc(each * m->cols * sizeof(*w));
	size_t row, n, i;
	int r = 0;

	if (!w)
		return err_no_memory(e);
	for (row = 0; row < m->rows && r == 0; row += n) {
		n = MIN(each, m->rows - row);
		r = weight_read(m->weight, ELEM_F32, row * m->cols, n * m->cols, w, e);
		for (i = 0; i < n && r == 0; i++)
			fn(arg, row + i, w + i * m->cols, m->cols);
	}
	return r;
}

static void
power_add(void *arg, size_t row _unused_, const float *w, size_t n)
{
	struct fit *f = arg;
	size_t k;

	for (k = 0; k < n; k++) {
		f->power[k] += w[k] * w[k];
		f->top[k] = MAX(f->top[k], fabsf(w[k]));
	}
}

/* The power of two that is nearest to x, within bounds. */
static float
power_of_two(double x)
{
	const double exponent = x > 0 && isfinite(x) ? round(log2(x)) : 0;

	return ldexpf(1, (int)MAX(-SMOOTH_EXPONENT_MAX, MIN(SMOOTH_EXPONENT_MAX, exponent)));
}

/* Factors of that strength; their geometric mean is about 1. */
static void
smooth_fill(const struct fit *f, double strength, float *ret)
{
	const struct rounding_input *in = f->input;
	double raw, mean = 0;
	size_t k, n = 0;

	for (k = 0; k < in->width; k++)
		if (in->largest[k] > 0 && f->top[k] > 0) {
			mean += strength * log2((double)in->largest[k]) -
				(1 - strength) * log2((double)f->top[k]);
			n++;
		}
	mean = n ? mean / (double)n : 0;
	for (k = 0; k < in->width; k++) {
		raw = in->largest[k] > 0 && f->top[k] > 0
			      ? pow(in->largest[k], strength) / pow(f->top[k], 1 - strength)
			      : 0;
		ret[k] = power_of_two(raw * exp2(-mean));
	}
}

static void
fit_release(struct fit *f)
{
	size_t i;

	for (i = 0; i < STRENGTHS; i++)
		free(f->smooth[i]);
	free(f->top);
	free(f->power);
}

/* One matrix or table with all strengths. */
struct scales {
	struct fit *f; /* NULL: a table */
	float *scale[STRENGTHS];
	double square[STRENGTHS]; /* sums of squared scales */
};

static void
scales_release(struct scales *s)
{
	size_t i;

	for (i = 0; i < STRENGTHS; i++)
		free(s->scale[i]);
}

static void
scale_add(void *arg, size_t row, const float *w, size_t n)
{
	struct scales *s = arg;
	float scale;
	size_t i;

	for (i = 0; i < STRENGTHS; i++)
		if (s->scale[i]) {
			scale = quantize_scale(w, s->f ? s->f->smooth[i] : NULL, n,
					       /*products=*/s->f != NULL);
			s->scale[i][row] = scale;
			s->square[i] += (double)scale * (double)scale;
		}
	if (s->f)
		power_add(s->f, row, w, n);
}

/* The estimate of rounding.h, for one token. */
static double
token_error(const struct fit *f, const float *x, const float *smooth, double square)
{
	double step = 0, wide = 0, length = 0, signal = 0, c, v;
	size_t k;

	for (k = 0; k < f->input->width; k++) {
		c = smooth ? (double)smooth[k] : 1;
		v = (double)x[k] / c;
		step = MAX(step, fabs(v) / QUANTIZE_MAX);
		wide += (double)f->power[k] * c * c;
		length += v * v;
		signal += (double)f->power[k] * (double)x[k] * (double)x[k];
	}
	return signal > 0 ? (step * step * wide + square * length) / 12 / signal : 0;
}

/* Of the product with one matrix: the root of the mean over the tokens. */
static double
matrix_error(const struct fit *f, size_t strength, double square)
{
	const struct rounding_input *in = f->input;
	double sum = 0;
	size_t t;

	for (t = 0; t < in->n_token; t++)
		sum += token_error(f, in->token + t * in->width, f->smooth[strength], square);
	return in->n_token ? sqrt(sum / (double)in->n_token) : 0;
}

/* Finds the scales of a matrix or table for each strength in question. A weight that is not finite is an error. */
static int
scales_make(const struct rounded *m, struct fit *f, struct scales *s, struct err *e)
{
	size_t i;
	int k;

	s->f = f;
	for (i = 0; i < STRENGTHS; i++)
		if (i == 0 || (f && f->smooth[i])) {
			s->scale[i] = malloc(m->rows * sizeof(float));
			if (!s->scale[i])
				return err_no_memory(e);
		}
	if (f)
		memset(f->power, 0, m->cols * sizeof(*f->power));
	k = rows_read(m, scale_add, s, e);
	for (i = 0; i < m->rows && k == 0; i++)
		if (!isfinite(s->scale[0][i]))
			k = weight_blame(m->weight, ELEM_F32, e);
	return k;
}

static int
table_fit(struct rounded *m, struct err *e)
{
	_cleanup_(scales_release) struct scales s = {.f = NULL};
	int k = scales_make(m, NULL, &s, e);

	if (k == 0)
		memcpy(m->scale, s.scale[0], m->rows * sizeof(*m->scale));
	return k;
}

/* Factors of each strength, from the largest weights of all matrices behind the input. */
static int
smooth_make(struct fit *f, const struct rounding *r, struct err *e)
{
	size_t i;
	int k = 0;

	for (i = 0; i < r->n_row && k == 0; i++)
		if (r->row[i].input == f->input)
			k = rows_read(&r->row[i], power_add, f, e);
	for (i = 1; i < STRENGTHS && k == 0; i++) {
		f->smooth[i] = malloc(f->input->width * sizeof(float));
		if (!f->smooth[i])
			return err_no_memory(e);
		smooth_fill(f, strengths[i], f->smooth[i]);
	}
	return k;
}

/* The graph divides by the factors, as a product. */
static int
smooth_take(struct fit *f, size_t strength, struct err *e)
{
	struct rounding_input *in = f->input;
	size_t k;

	if (strength == 0)
		return 0;
	in->unsmooth = malloc(in->width * sizeof(*in->unsmooth));
	if (!in->unsmooth)
		return err_no_memory(e);
	in->smooth = TAKE(f->smooth[strength]);
	for (k = 0; k < in->width; k++)
		in->unsmooth[k] = 1 / in->smooth[k];
	return 0;
}

static size_t
strength_choose(const struct fit *f)
{
	size_t i, best = 0;

	for (i = 1; i < STRENGTHS; i++)
		if (f->error[i] < f->error[best] * (best ? 1 : WORTH))
			best = i;
	return best;
}

/* Fits the matrices behind one input; `s` has room for all rows. */
static int
matrices_fit(struct rounding *r, struct fit *f, struct scales *s, struct err *e)
{
	double(*error)[STRENGTHS] = calloc(r->n_row, sizeof(*error));
	size_t i, j, best;
	int k = error ? 0 : err_no_memory(e);

	for (i = 0; i < r->n_row && k == 0; i++) {
		if (r->row[i].input != f->input)
			continue;
		k = scales_make(&r->row[i], f, &s[i], e);
		for (j = 0; j < STRENGTHS && k == 0; j++) {
			error[i][j] = s[i].scale[j] ? matrix_error(f, j, s[i].square[j]) : INFINITY;
			f->error[j] += error[i][j];
		}
	}
	best = strength_choose(f);
	for (i = 0; i < r->n_row && k == 0; i++)
		if (r->row[i].input == f->input) {
			memcpy(r->row[i].scale, s[i].scale[best], r->row[i].rows * sizeof(float));
			r->row[i].error = error[i][best];
		}
	free(error);
	return k < 0 ? k : smooth_take(f, best, e);
}

static int
input_fit(struct rounding *r, struct rounding_input *in, struct err *e)
{
	struct fit f = {.input = in};
	struct scales *s = calloc(r->n_row, sizeof(*s));
	size_t i;
	int k = 0;

	f.top = calloc(in->width, sizeof(*f.top));
	f.power = calloc(in->width, sizeof(*f.power));
	if (!s || !f.top || !f.power)
		k = err_no_memory(e);
	if (k == 0 && in->n_token)
		k = smooth_make(&f, r, e);
	if (k == 0)
		k = matrices_fit(r, &f, s, e);
	for (i = 0; s && i < r->n_row; i++)
		scales_release(&s[i]);
	free(s);
	fit_release(&f);
	free(TAKE(in->token)); /* the largest part of the memory */
	return k;
}

int
rounding_fit(struct rounding *r, onnx_progress_fn progress, void *userdata, struct err *e)
{
	const uint64_t total = r->n_input + r->n_row;
	size_t i;
	int k = 0;

	for (i = 0; i < r->n_input && k == 0; i++) {
		k = input_fit(r, r->input[i], e);
		if (progress)
			progress(userdata, i + 1, total, r->input[i]->name);
	}
	for (i = 0; i < r->n_row && k == 0; i++) {
		if (!r->row[i].input)
			k = table_fit(&r->row[i], e);
		st_drop(r->row[i].weight->file, r->row[i].weight->tensor->data,
			r->row[i].weight->tensor->len);
		if (progress)
			progress(userdata, r->n_input + i + 1, total, r->row[i].weight->name);
	}
	return k;
}

/* ---- what is kept ---- */

/* The matrix with the largest error that is still rounded; NULL: none has one. */
static struct rounded *
worst_find(struct rounding *r)
{
	struct rounded *worst = NULL, *row;
	size_t i;

	for (i = 0; i < r->n_row; i++) {
		row = &r->row[i];
		if (!row->both && !row->kept && row->error > (worst ? worst->error : 0))
			worst = row;
	}
	return worst;
}

size_t
rounding_keep_more(struct rounding *r, double share)
{
	struct rounded *row;
	double all = 0, kept = 0;
	size_t i, n = 0;

	for (i = 0; i < r->n_row; i++) {
		row = &r->row[i];
		if (!row->input)
			continue; /* a table has no product, and is never kept */
		all += (double)(row->rows * row->cols);
		kept += row->kept ? (double)(row->rows * row->cols) : 0;
	}
	while ((kept < share * all) && (row = worst_find(r))) {
		row->kept = true;
		kept += (double)(row->rows * row->cols);
		n++;
	}
	return n;
}
