#include "stages.h"

#include <inttypes.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/pulse.h"
#include "base/str.h"
#include "onnx/extra.h"
#include "onnx/target.h"
#include "spec/repo.h"
#include "trace/weight_factors.h"
#include "manifest.h"
#include "page.h"
#include "parity.h"
#include "processing.h"
#include "recipe.h"
#include "reference.h"
#include "rounded.h"
#include "warnings.h"

char *
conversion_artifact_name(const struct conversion *c, const char *file)
{
	return c->folder[0] ? fs_join(c->folder, file) : strdup(file);
}

char *
conversion_path(const struct conversion *c, const char *file)
{
	_cleanup_free_ char *name = conversion_artifact_name(c, file);

	return name ? fs_join(c->job->out_dir, name) : NULL;
}

const char *
conversion_output(const struct conversion *c)
{
	const char *name = spec_profile(&c->spec)->output;

	return name ? name : head_output(c->found.head);
}

/* "text.onnx"; "text_fp16.onnx" for a profile whose program looks for the type's suffix. */
void
conversion_names_set(struct conversion *c)
{
	const struct profile *profile = spec_profile(&c->spec);
	const bool own = profile->family_file && c->model->one_model_file;
	const bool half = profile->dtype_suffix && c->spec.dtype == SPEC_DTYPE_FP16;
	const char *file, *dot;
	int v;

	c->folder = profile->folder;
	for (v = 0; v < VARIANT_MAX; v++) {
		file = own ? c->model->one_model_file : variant_file((enum variant)v);
		dot = strrchr(file, '.');
		(void)snprintf(c->graph_file[v], GRAPH_FILE_LEN, "%.*s%s%s", (int)(dot - file), file,
			       half ? "_fp16" : "", dot);
	}
}

int
conversion_resolve(struct conversion *c, const char *dir, const struct checkpoint_choice *choice,
		   struct err *e)
{
	int r;

	r = checkpoint_open(dir, choice, &c->checkpoint, e);
	if (r == 0)
		r = model_find(checkpoint_config(c->checkpoint), spec_head(&c->spec), &c->found, e);
	if (r < 0)
		return r;
	c->model = c->found.model;
	_Static_assert(SPEC_MASK_MODE_BIDIRECTIONAL - SPEC_MASK_MODE_TRAINED == MODEL_MASK_BIDIRECTIONAL,
		       "the words of mask_mode have the order of enum model_mask");
	c->found.mask = (enum model_mask)(c->spec.mask_mode - SPEC_MASK_MODE_TRAINED);
	c->found.dim = c->spec.dim;
	c->config = calloc(1, c->model->config_size);
	if (!c->config)
		return err_no_memory(e);
	return model_config_read(&c->found, c->checkpoint, c->config, e);
}

/* Traces a graph that contains only the inputs of the image graph. */
static int
inputs_trace(const struct conversion *c, struct ir_graph **ret, struct err *e)
{
	const struct shape tokens = shape_of(2, dim_symbol(SYM_BATCH), dim_symbol(SYM_SEQUENCE));
	_cleanup_(graph_free) struct ir_graph *g = NULL;
	const struct model_input *in;
	struct shape shape;
	bool made;
	int r;

	r = graph_new(variant_name(VARIANT_PREPROCESS), &g, e);
	if (r < 0)
		return r;
	made = graph_value_add(g, IR_INPUT, ELEM_I64, &tokens, "input_ids") &&
	       graph_value_add(g, IR_INPUT, ELEM_I64, &tokens, "attention_mask");
	for (in = c->model->image_inputs; made && in->name; in++) {
		shape = in->shape(c->config);
		made = graph_value_add(g, IR_INPUT, in->elem, &shape, in->name);
	}
	if (!made)
		return err_no_memory(e);
	*ret = TAKE(g);
	return 0;
}

int
conversion_trace(const struct conversion *c, enum variant v, struct ir_graph **ret, struct err *e)
{
	const struct model_options options = {
		.positions_arange = c->spec.positions == SPEC_POSITIONS_ARANGE,
		.mask = c->found.mask,
	};
	const struct sizes sizes = c->model->trace_sizes(c->config);
	_cleanup_(trace_free) struct trace *t = NULL;
	int r;

	if (v == VARIANT_PREPROCESS)
		return inputs_trace(c, ret, e);
	r = trace_new(variant_name(v), c->checkpoint, &sizes, &t, e);
	if (r == 0 && profile_one_output(spec_profile(&c->spec)))
		trace_one_output(t);
	if (r == 0)
		r = trace_finish(
			t, c->model->build(t, c->config, v == VARIANT_PAGE ? VARIANT_IMAGE : v, &options),
			head_output(c->found.head), ret, e);
	return r;
}

/* Longest time for factoring one matrix, which is a single call of LAPACK. */
#define FACTORS_SECONDS 1800

static void
init_progress(void *arg, uint64_t done, uint64_t total, const char *name)
{
	struct conversion *c = arg;

	report_progress(c->report, done, total, "weights", name);
	pulse_allow(done < total ? FACTORS_SECONDS : 0); /* for the next node */
}

static void
hub_progress(void *arg, uint64_t done, uint64_t total, const char *detail)
{
	struct conversion *c = arg;

	report_progress(c->report, done, total, "bytes", detail);
}

/* Set the folders that may be read: the job's roots and the repositories fetched so far. Without roots, all folders. */
static int
readable_set(struct conversion *c, struct err *e)
{
	const char **dir;
	size_t i, n = 0;
	int r;

	if (c->job->n_roots == 0)
		return 0;
	for (i = 0; i < ARRAY_LEN(c->repo_dirs); i++) {
		free(TAKE(c->repo_dirs[i]));
		r = source_repo_dir(i ? &c->base : &c->source, &c->repo_dirs[i], e);
		if (r < 0)
			return r;
	}
	free((void *)(uintptr_t)c->readable.dir);
	dir = calloc(c->job->n_roots + ARRAY_LEN(c->repo_dirs), sizeof(*dir));
	c->readable = (struct folder_roots){.dir = dir};
	if (!dir)
		return err_no_memory(e);
	for (i = 0; i < c->job->n_roots; i++)
		dir[n++] = c->job->roots[i];
	for (i = 0; i < ARRAY_LEN(c->repo_dirs); i++)
		if (c->repo_dirs[i])
			dir[n++] = c->repo_dirs[i];
	c->readable.n = n;
	return 0;
}

/* The job's options about adapters, for checkpoint_open(). */
static struct checkpoint_choice
choice_make(const struct conversion *c)
{
	return (struct checkpoint_choice){
		.base = source_dir(&c->base),
		.roots = c->readable,
		.task = c->spec.task == SPEC_TASK_AUTO ? NULL : spec_word(c->spec.task),
		.adapter = c->spec.adapter == SPEC_ADAPTER_MERGE    ? ADAPTER_MERGE
			   : c->spec.adapter == SPEC_ADAPTER_IGNORE ? ADAPTER_IGNORE
								    : ADAPTER_DEFAULT,
	};
}

/* Find the repository that the adapter names as its base; NULL if the base is not a repository. c->base_name owns it. */
static int
base_repo_find(struct conversion *c, const char **ret, struct err *e)
{
	_cleanup_(adapter_place_release) struct adapter_place place = ADAPTER_PLACE_INIT;
	const struct checkpoint_choice choice = choice_make(c);
	const bool fetched = c->source.snapshot.dir != NULL;
	int r;

	*ret = NULL;
	r = adapter_find(c->readable, source_dir(&c->source), NULL, choice.adapter, choice.task, &place, e);
	if (r < 0 || !place.dir || (place.model && (!fetched || !place.base)))
		return r;
	if (place.base && repo_id_ok(place.base)) {
		*ret = c->base_name = TAKE(place.base);
		return 0;
	}
	/* For a folder of this machine checkpoint_open() reports a missing base. */
	return fetched ? err_set(e, E_BAD_CHECKPOINT,
				 "the adapter '%s' does not name a Hub repository as its base, and "
				 "a repository may not choose a folder on this machine: give the base with "
				 "--base DIR",
				 c->spec.model)
		       : 0;
}

/* Open the base that the job names, or the repository that the adapter names. */
static int
base_open(struct conversion *c, struct err *e)
{
	const char *name = c->spec.base;
	int r;

	if (!name) {
		r = base_repo_find(c, &name, e);
		if (r < 0 || !name)
			return r;
	}
	r = source_open(&c->base, name, REPO_REVISION_DEFAULT, hub_progress, c, e);
	return r < 0 ? err_context(e,
				   "'%s', the base of the adapter '%s' (--base DIR takes it from a folder)",
				   name, c->spec.model)
		     : 0;
}

/* Reads the licences in the adapter's card and its base's; without an adapter, the model's is the first. */
static int
licences_read(struct conversion *c, struct err *e)
{
	struct folder *adapter = checkpoint_adapter_folder(c->checkpoint);
	int r = 0;

	if (adapter)
		r = licence_read(adapter, c->licence[0], e);
	if (r == 0)
		r = licence_read(checkpoint_folder(c->checkpoint), c->licence[adapter != NULL], e);
	return r;
}

/* Without graphs for pages, a job that names no graphs makes those that the family has. */
static int
variants_fit(struct conversion *c, struct err *e)
{
	const unsigned has = c->model->arch->variants,
		       usual = (unsigned)spec_fields[SPEC_FIELD_VARIANTS].initial;
	int v, r = 0;

	if (c->spec.variants == usual && usual & has && usual & ~has) {
		c->spec.variants &= has;
		r = warnings_add(c, e,
				 "%s makes vectors of queries alone, for the pages of another model: of the "
				 "usual graphs only "
				 "'text' is made",
				 c->model->arch->title);
	}
	if (has & 1u << VARIANT_IMAGE)
		return r < 0 ? r : architecture_variants_check(c->model->arch, c->spec.variants, e);
	for (v = 0; r == 0 && v < VARIANT_MAX; v++)
		if (c->spec.variants & ~has & 1u << v)
			r = err_set(e, E_UNSUPPORTED_MODEL,
				    "%s has no graph '%s', for it makes vectors of queries alone: ask for "
				    "--variants text, and convert the model of its pages by itself",
				    c->model->arch->title, variant_name((enum variant)v));
	return r;
}

static int
resolve(struct conversion *c, struct err *e)
{
	struct checkpoint_choice choice;
	int r;

	r = source_token_set(c->job->hub_token, e);
	if (r == 0)
		r = source_open(&c->source, c->spec.model, c->spec.revision, hub_progress, c, e);
	if (r == 0)
		r = readable_set(c, e);
	if (r == 0)
		r = base_open(c, e);
	source_token_forget(); /* the Hub is not needed any more, and colconv-parity must not get the token */
	if (r == 0)
		r = readable_set(c, e);
	if (r == 0) {
		choice = choice_make(c);
		r = conversion_resolve(c, source_dir(&c->source), &choice, e);
	}
	if (r == 0)
		r = variants_fit(c, e);
	if (r == 0)
		r = prompt_choose(c, e);
	if (r == 0)
		r = licences_read(c, e);
	conversion_names_set(c);
	/* Open every source now, so that a wrong file fails here and not after the export. */
	if (r == 0)
		r = sources_open(c->checkpoint, c->readable, c->spec.reference.item, c->spec.reference.n,
				 c->job->out_dir, &c->sources, e);
	if (r == 0)
		r = page_open(c, &c->document, e);
	if (r == 0 && c->spec.parity)
		r = reference_probe(c, e);
	if (r == 0 && c->spec.parity)
		r = parity_probe(c, e);
	if (r == 0)
		r = recipe_compare(c, e);
	if (r < 0 || c->known)
		return r;
	pulse_allow(FACTORS_SECONDS);
	r = checkpoint_init_apply(c->checkpoint, weight_factors_find, init_progress, c, e);
	pulse_allow(0);
	return r;
}

static int
extras_possible(const struct conversion *c, struct err *e)
{
	const struct ir_value *out;
	int64_t dim;
	int v;

	for (v = 0; v < VARIANT_MAX; v++) {
		out = c->graph[v] ? c->graph[v]->output : NULL;
		dim = out ? out->shape.dim[out->shape.rank - 1].num : 0;
		if (dim % 8 && conversion_extras(c) & EXTRA_BITS)
			return err_set(e, E_UNSUPPORTED_MODEL,
				       "the output embeddings_bits packs 8 numbers into a byte, and the "
				       "vectors of this "
				       "model have %" PRId64,
				       dim);
	}
	return 0;
}

static int
trace(struct conversion *c, struct err *e)
{
	const unsigned total = (unsigned)__builtin_popcount(c->spec.variants);
	unsigned done = 0;
	int v, r = 0;

	for (v = 0; r == 0 && v < VARIANT_MAX; v++) {
		if (!(c->spec.variants & 1u << v))
			continue;
		r = conversion_trace(c, (enum variant)v, &c->graph[v], e);
		report_progress(c->report, ++done, total, "graphs", variant_name((enum variant)v));
	}
	if (r == 0)
		r = extras_possible(c, e);
	if (r == 0)
		r = rounded_begin(c, e);
	return r < 0 ? r : warnings_collect(c, e);
}

static void
fit_progress(void *arg, uint64_t done, uint64_t total, const char *name)
{
	struct conversion *c = arg;

	report_progress(c->report, done, total, "weights", name);
}

static void
export_progress(void *arg, uint64_t done, uint64_t total, const char *name)
{
	struct conversion *c = arg;

	report_progress(c->report, done, total, "bytes", name);
}

unsigned
conversion_extras(const struct conversion *c)
{
	static const struct {
		enum spec_word word;
		unsigned extra;
	} extras[] = {{SPEC_OUTPUTS_BITS, EXTRA_BITS},
		      {SPEC_OUTPUTS_INT8, EXTRA_INT8},
		      {SPEC_OUTPUTS_IMAGE_TOKEN, EXTRA_IMAGE_TOKEN}};
	unsigned ret = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(extras); i++)
		if (c->spec.outputs >> (extras[i].word - SPEC_OUTPUTS_EMBEDDINGS) & 1)
			ret |= extras[i].extra;
	return ret;
}

/* Lowers the graphs and writes them and their weights, in place of what an earlier call wrote. */
static int
graphs_write(struct conversion *c, struct err *e)
{
	const struct profile *profile = spec_profile(&c->spec);
	const struct onnx_options options = {
		.half = c->spec.dtype == SPEC_DTYPE_FP16,
		.output = profile->output,
		.output_half = profile->output_half,
		.embed = c->spec.layout == SPEC_LAYOUT_EMBEDDED,
		.own_data = profile->own_data,
		.optional_images = profile->optional_images,
		.shard_max = (uint64_t)c->spec.shard_size,
		.store = c->spec.storage == SPEC_STORAGE_BF16 ? STORE_BF16 : STORE_SAME,
		.rounding = c->rounding,
		.target = c->spec.target == SPEC_TARGET_ORT ? &target_ort : &target_portable,
		.extras = conversion_extras(c),
		.image_token = c->model->tokens(c->config).image,
	};
	_cleanup_free_ char *dir = conversion_path(c, "");
	int v, r;

	if (!dir)
		return err_no_memory(e);
	onnx_export_free(&c->onnx);
	r = onnx_export_new(dir, &options, &c->onnx, e);
	if (r == 0)
		r = onnx_export_meta(c->onnx, "colconv.architecture", c->model->arch->family, e);
	for (v = 0; v < VARIANT_MAX && r == 0; v++)
		if (c->graph[v]) {
			onnx_export_front(c->onnx,
					  variant_takes_picture((enum variant)v) ? c->document : NULL);
			r = onnx_export_add(c->onnx, c->graph[v], c->graph_file[v], e);
		}
	return r < 0 ? r : onnx_export_write(c->onnx, export_progress, c, e);
}

static int export(struct conversion *c, struct err *e)
{
	_cleanup_free_ char *dir = conversion_path(c, "");
	int r = dir ? fs_mkdir(dir, 0755, e) : err_no_memory(e);

	if (r == 0)
		r = sources_hash_begin(c->sources, e);
	if (r == 0 && c->rounding)
		r = rounding_fit(c->rounding, fit_progress, c, e);
	return r < 0 ? r : graphs_write(c, e);
}

/* Checks parity. Where weights are rounded and it fails, it is tried again with some of them in float16. */
static int
parity(struct conversion *c, struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	for (;;) {
		err_clear(&why);
		r = parity_run(c, &why);
		if (r != E_PARITY || !rounded_keep_more(c))
			break;
		r = graphs_write(c, e);
		if (r < 0)
			return r;
	}
	if (r == E_PARITY && c->keep_rounds)
		return err_set(e, r, "%s (with the matrices of the largest errors in float16)", why.msg);
	return r < 0 ? err_set(e, r, "%s", why.msg) : 0;
}

/* Delete the cases: they are temporary files and not part of an artifact. */
static int
cases_remove(struct conversion *c, struct err *e)
{
	int r = c->case_dir ? fs_remove(c->case_dir, e) : 0;

	free(TAKE(c->case_dir));
	return r;
}

static int
stages_run(struct conversion *c, struct err *e)
{
	static const struct {
		const char *name;
		int (*run)(struct conversion *c, struct err *e);
		bool proves; /* skipped in a job without parity */
		bool cases;  /* runs in a job that makes cases alone */
	} stages[] = {
		{"resolve", resolve, false, true}, {"trace", trace, false, true},
		{"export", export, false, false},  {"reference", reference_run, true, true},
		{"parity", parity, true, false},
	};
	/*
	 * The export comes early because it finds most mistakes, but rounded weights are fitted to what the reference
	 * computes.
	 */
	static const size_t rounded[] = {0, 1, 3, 2, 4};
	size_t i, k;
	int r = 0;

	for (i = 0; r == 0 && !c->known && i < ARRAY_LEN(stages); i++) {
		k = c->spec.storage == SPEC_STORAGE_INT8 ? rounded[i] : i;
		if (c->job->cases_only ? !stages[k].cases : stages[k].proves && !c->spec.parity)
			continue;
		report_stage(c->report, stages[k].name);
		r = stages[k].run(c, e);
		if (r == 0)
			r = sources_check(c->sources, e);
	}
	return r;
}

int
conversion_run(struct conversion *c, struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	r = stages_run(c, e);
	if (r == 0 && !c->job->cases_only)
		r = cases_remove(c, e);
	else if (r < 0)
		(void)cases_remove(c, NULL);
	if (r == 0 && !c->job->cases_only && !c->known) {
		r = manifest_write(c, e);
		if (r == 0)
			r = recipe_set(c, e);
	}
	/* Check the sources last: a changed file makes the conversion fail and explains other errors. */
	if (c->sources && sources_check(c->sources, &why) < 0) {
		err_clear(e);
		return err_set(e, why.code, "%s", why.msg);
	}
	return r;
}

void
conversion_release(struct conversion *c)
{
	int v;

	spec_release(&c->spec);
	json_decref(c->parity);
	json_decref(c->warnings);
	sources_free(&c->sources);
	onnx_export_free(&c->onnx);
	rounding_free(&c->rounding);
	document_free(&c->document);
	for (v = 0; v < VARIANT_MAX; v++)
		graph_free(&c->graph[v]);
	free(c->config);
	checkpoint_free(&c->checkpoint);
	free(c->case_dir);
	source_release(&c->source);
	source_release(&c->base);
	free(c->base_name);
	free((void *)(uintptr_t)c->readable.dir);
	free(c->repo_dirs[0]);
	free(c->repo_dirs[1]);
}
