#include "stages.h"

#include <errno.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/profile.h"
#include "base/str.h"
#include "cases.h"
#include "manifest.h"
#include "parity.h"
#include "reference.h"

int
conversion_resolve(struct conversion *c, const char *dir, struct err *e)
{
	int r;

	r = checkpoint_open(dir, &c->checkpoint, e);
	if (r == 0)
		r = model_find(c->checkpoint, &c->model, e);
	if (r < 0)
		return r;
	c->config = calloc(1, c->model->config_size);
	if (!c->config)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	return c->model->config_read(c->checkpoint, c->config, e);
}

int
conversion_trace(const struct conversion *c, enum variant v, struct ir_graph **ret, struct err *e)
{
	const struct model_options options = {
		.positions_arange = c->job && str_eq(c->job->positions, "arange"),
		.mask_causal = c->job && str_eq(c->job->mask_mode, "causal"),
	};
	const struct sizes sizes = c->model->trace_sizes(c->config);
	_cleanup_(trace_free) struct trace *t = NULL;
	int r;

	r = trace_new(variant_name(v), c->checkpoint, &sizes, &t, e);
	if (r == 0)
		r = trace_finish(t, c->model->build(t, c->config, v, &options), ret, e);
	return r;
}

const char *
conversion_dir(const struct conversion *c)
{
	return c->snapshot.dir ? c->snapshot.dir : c->job->model;
}

static void
hub_progress(void *arg, uint64_t done, uint64_t total, const char *detail)
{
	struct conversion *c = arg;

	report_progress(c->report, done, total, "bytes", detail);
}

static int
resolve(struct conversion *c, struct err *e)
{
	enum variant v;
	size_t i;
	int r = 0;

	if (c->job->model[0] != '/')
		r = hub_fetch(c->job->model, c->job->revision, hub_progress, c, &c->snapshot, e);
	if (r == 0)
		r = conversion_resolve(c, conversion_dir(c), e);
	for (i = 0; r == 0 && i < c->job->n_variants; i++) {
		r = variant_from_str(c->job->variants[i], E_BAD_REQUEST, &v, e);
		if (r == 0 && !(c->model->variants & 1u << v))
			r = err_set(e, E_UNSUPPORTED_MODEL, "%s has no graph '%s'", c->model->title, variant_name(v));
	}
	/* Known in a moment, and a pity to learn after an hour. */
	for (i = 0; r == 0 && i < c->job->n_reference; i++)
		if (access(c->job->reference[i], R_OK) < 0)
			r = err_errno(e, E_BAD_REFERENCE, errno, "cannot read '%s'", c->job->reference[i]);
	if (r == 0 && c->job->parity)
		r = parity_probe(e);
	return r;
}

static int
trace(struct conversion *c, struct err *e)
{
	enum variant v;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < c->job->n_variants; i++) {
		r = variant_from_str(c->job->variants[i], E_BAD_REQUEST, &v, e);
		if (r == 0)
			r = conversion_trace(c, v, &c->graph[v], e);
		report_progress(c->report, i + 1, c->job->n_variants, "graphs", c->job->variants[i]);
	}
	return r;
}

static void
export_progress(void *arg, uint64_t done, uint64_t total, const char *name)
{
	struct conversion *c = arg;

	report_progress(c->report, done, total, "bytes", name);
}

static int
export(struct conversion *c, struct err *e)
{
	const struct profile *profile = profile_find(c->job->profile);
	const struct onnx_options options = {
		.half = str_eq(c->job->dtype, "fp16"),
		.output = profile->output,
		.output_half = profile->output_half,
		.embed = str_eq(c->job->layout, "embedded"),
		.shard_max = c->job->shard_size,
		.store_bf16 = str_eq(c->job->storage, "bf16"),
	};
	int v, r;

	r = inputs_begin(c->checkpoint, &c->inputs, e);
	if (r == 0)
		r = onnx_job_new(c->job->out_dir, &options, &c->onnx, e);
	if (r == 0)
		r = onnx_job_meta(c->onnx, "colconv.architecture", c->model->family, e);
	for (v = 0; v < VARIANT_MAX && r == 0; v++)
		if (c->graph[v])
			r = onnx_job_add(c->onnx, c->graph[v], variant_file((enum variant)v), e);
	return r < 0 ? r : onnx_job_write(c->onnx, export_progress, c, e);
}

static int
check(struct conversion *c, struct err *e)
{
	int r;

	report_stage(c->report, "reference");
	r = reference_run(c, e);
	if (r < 0)
		return r;
	report_stage(c->report, "parity");
	return parity_run(c, e);
}

/* The cases are our own scratch: an artifact does not have them, nor has a failed folder. */
static int
cases_remove(struct conversion *c, struct err *e)
{
	int r = c->case_dir ? fs_remove(c->case_dir, e) : 0;

	free(TAKE(c->case_dir));
	return r;
}

int
conversion_run(struct conversion *c, struct err *e)
{
	int r;

	report_stage(c->report, "resolve");
	r = resolve(c, e);
	if (r < 0)
		return r;
	report_stage(c->report, "trace");
	r = trace(c, e);
	if (r < 0)
		return r;
	report_stage(c->report, "export");
	r = export(c, e);
	if (r < 0)
		return r;
	if (c->job->parity)
		r = check(c, e);
	if (r == 0)
		r = cases_remove(c, e);
	else
		(void)cases_remove(c, NULL);
	return r < 0 ? r : manifest_write(c, e);
}

void
conversion_release(struct conversion *c)
{
	int v;

	json_decref(c->parity);
	inputs_free(&c->inputs);
	onnx_job_free(&c->onnx);
	for (v = 0; v < VARIANT_MAX; v++)
		graph_free(&c->graph[v]);
	free(c->config);
	checkpoint_free(&c->checkpoint);
	free(c->case_dir);
	hub_snapshot_release(&c->snapshot);
}
