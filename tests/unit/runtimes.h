/* A graph of a family in both runtimes: libtorch, which is the reference, and ONNX Runtime on what was exported. */
#ifndef TESTS_UNIT_RUNTIMES_H
#define TESTS_UNIT_RUNTIMES_H

#include "runtime.h"

#include <math.h>

#include "base/str.h"
#include "model/model.h"
#include "onnx/onnx.h"
#include "onnx/target.h"
#include "trace/eval.h"

#define OUT_MAX (128 * 320) /* how many numbers an output may have */
#define LIMIT 1e-5f         /* how much two numbers may differ */

struct graph {
	struct ir_graph *g;
	struct ort_session *s;
};

/* The results of both runtimes for the same inputs, or their errors. */
struct result {
	int64_t dim;
	float torch[OUT_MAX], ort[OUT_MAX];
	struct err e_torch, e_ort;
};

static _unused_ void
need_runtime(void)
{
	if (!have_runtime)
		skip();
}

/* The checkpoint in a folder, and what its family's reader made of its config.json, to be freed. */
static void *
folder_load(const char *path, struct checkpoint **ret_ck, const struct model **ret_model)
{
	struct model_found found;
	struct err e = ERR_INIT;
	void *config;

	(void)checkpoint_open(path, NULL, ret_ck, &e);
	assert_no_error(&e);
	(void)model_find(checkpoint_config(*ret_ck), HEAD_AUTO, &found, &e);
	assert_no_error(&e);
	*ret_model = found.model;
	config = calloc(1, found.model->config_size);
	(void)model_config_read(&found, *ret_ck, config, &e);
	assert_no_error(&e);
	return config;
}

/* The same of a folder of the sources. */
static _unused_ void *
family_load(const char *folder, struct checkpoint **ret_ck, const struct model **ret_model)
{
	const char *top = getenv("COLCONV_SOURCE");
	_cleanup_free_ char *path = fs_join(top ? top : ".", folder);

	return folder_load(path, ret_ck, ret_model);
}

/* Ends the trace, whose output is `out`, and exports the graph for a target into NAME below the folder of the program. */
static _unused_ void
graph_finish(struct trace *t, struct ir_value *out, const char *name, const struct target *target,
	     struct graph *ret)
{
	const struct onnx_options onnx = {.target = target};
	_cleanup_(onnx_export_free) struct onnx_export *job = NULL;
	_cleanup_free_ char *sub = fs_join(dir, name);
	_cleanup_free_ char *path = fs_join(sub, "graph.onnx");
	struct err e = ERR_INIT;

	(void)trace_finish(t, out, head_output(HEAD_MULTI_VECTOR), &ret->g, &e);
	assert_no_error(&e);
	assert_int_equal(mkdir(sub, 0700), 0);
	(void)onnx_export_new(sub, &onnx, &job, &e);
	(void)onnx_export_add(job, ret->g, "graph.onnx", &e);
	(void)onnx_export_write(job, NULL, NULL, &e);
	(void)ort_session_new(path, 1, &ret->s, &e);
	assert_no_error(&e);
}

/* Traces it and exports it below the folder of the program. `arange`: with positions 0, 1, ... */
static _unused_ void
graph_open(const struct model *m, const struct checkpoint *ck, const void *config, enum variant v,
	   bool arange, struct graph *ret)
{
	const struct sizes sizes = m->trace_sizes(config);
	const struct model_options options = {.positions_arange = arange};
	_cleanup_(trace_free) struct trace *t = NULL;
	_cleanup_free_ char *name = str_printf("%s-%d-%d", m->arch->family, v, arange);
	struct err e = ERR_INIT;

	(void)trace_new(variant_name(v), ck, &sizes, &t, &e);
	assert_no_error(&e);
	graph_finish(t, m->build(t, config, v, &options), name, &target_portable, ret);
}

/* `ret` has room for `max` numbers. */
static int
run_libtorch(const struct graph *x, const struct feeds *feeds, float *ret, size_t max, struct err *e)
{
	_cleanup_(eval_free) struct eval *ev = NULL;
	struct sizes sizes;
	size_t i;
	int r;

	r = feeds_sizes(feeds, x->g, &sizes, e);
	assert_no_error(e);
	(void)eval_new(x->g, TT_CPU, &sizes, &ev, e);
	for (i = 0; i < x->g->n_value; i++)
		if (x->g->value[i]->kind == IR_INPUT)
			(void)eval_feed(ev, x->g->value[i], feeds_find(feeds, x->g->value[i]->name)->data, e);
	assert_true((size_t)dim_eval(shape_count(&x->g->output->shape), &sizes) <= max);
	r = eval_run(ev, e);
	if (r < 0)
		return r;
	return eval_read(ev, x->g->output, ret,
			 (size_t)dim_eval(shape_count(&x->g->output->shape), &sizes) * sizeof(*ret), e);
}

static int
run_ort(const struct graph *x, const struct feeds *feeds, float *ret, size_t max, struct err *e)
{
	struct ort_tensor in[FEEDS_MAX], out = {0};
	const struct feed *f;
	size_t i;
	int r;

	for (i = 0; i < ort_input_count(x->s); i++) {
		f = feeds_find(feeds, ort_input_get(x->s, i)->name);
		in[i] = (struct ort_tensor){.type = f->elem, .rank = f->rank, .data = f->data};
		memcpy(in[i].shape, f->dim, (size_t)f->rank * sizeof(f->dim[0]));
		in[i].len = (size_t)feed_count(f) * elem_size(f->elem);
	}
	r = ort_run(x->s, in, &out, e);
	if (r < 0)
		return r;
	assert_true(out.len <= max * sizeof(*ret));
	memcpy(ret, out.data, out.len);
	ort_tensor_release(&out);
	return 0;
}

/* Runs both; either both succeed or both fail. Returns whether they succeeded. */
static _unused_ bool
graph_run(const struct graph *x, const struct feeds *feeds, struct result *ret)
{
	bool torch, ort;

	ret->e_torch = ret->e_ort = (struct err)ERR_INIT;
	ret->dim = x->g->output->shape.dim[2].num;
	torch = run_libtorch(x, feeds, ret->torch, OUT_MAX, &ret->e_torch) == 0;
	ort = run_ort(x, feeds, ret->ort, OUT_MAX, &ret->e_ort) == 0;
	if (torch != ort)
		fail_msg("libtorch: %s; ONNX Runtime: %s", torch ? "runs" : ret->e_torch.msg,
			 ort ? "runs" : ret->e_ort.msg);
	return torch;
}

static void
numbers_near(const float *want, const float *got, int64_t count, float limit, const char *what)
{
	int64_t i;

	for (i = 0; i < count; i++)
		if (!(fabsf(want[i] - got[i]) <= limit))
			fail_msg("%s: element %lld is %.9g, not %.9g", what, (long long)i, (double)got[i],
				 (double)want[i]);
}

static _unused_ void
numbers_compare(const float *want, const float *got, int64_t count, const char *what)
{
	numbers_near(want, got, count, LIMIT, what);
}

#endif
