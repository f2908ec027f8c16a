#include "manifest.h"

#include "base/fs.h"
#include "base/sha256.h"
#include "base/str.h"
#include "onnx/extra.h"
#include "onnx/front.h"
#include "onnx/release.h"
#include "spec/manifest.h"
#include "spec/repository.h"
#include "torch/shim.h"
#include "card.h"
#include "config.h"
#include "processing.h"
#include "program_files.h"
#include "rounded.h"

static int
file_add(json_t *files, const char *name, uint64_t size, const char *sha256, struct err *e)
{
	json_t *j = json_pack("{s:s, s:I, s:s}", "name", name, "size", (json_int_t)size, "sha256", sha256);

	if (!j || json_array_append_new(files, j) < 0)
		return err_no_memory(e);
	return 0;
}

/* Adds a file that is already in the job's folder. */
static int
file_hash(const struct conversion *c, json_t *files, const char *name, struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, name);
	char sha256[SHA256_HEX_LEN + 1];
	struct stat st;
	int r;

	if (!path || stat(path, &st) < 0)
		return err_set(e, E_IO, "cannot stat '%s'", name);
	r = sha256_file(path, sha256, e);
	return r < 0 ? r : file_add(files, name, (uint64_t)st.st_size, sha256, e);
}

static int
files_list(const struct conversion *c, json_t *files, struct err *e)
{
	const struct processor *p = sources_processor(c->sources);
	const struct onnx_file *f;
	const char *name;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < onnx_export_file_count(c->onnx); i++) {
		_cleanup_free_ char *own = conversion_artifact_name(c, onnx_export_file(c->onnx, i)->name);

		f = onnx_export_file(c->onnx, i);
		r = own ? file_add(files, own, f->size, f->sha256, e) : err_no_memory(e);
	}
	if (r == 0 && c->parity)
		r = file_hash(c, files, "parity.json", e);
	if (r == 0)
		r = file_hash(c, files, CARD_FILE, e);
	for (i = 0; r == 0 && (name = program_file(c, i)); i++)
		r = file_hash(c, files, name, e);
	for (i = 0; r == 0 && i < p->n; i++)
		if (!program_file_is(c, p->file[i].name))
			r = file_add(files, p->file[i].name, p->file[i].size, p->file[i].sha256, e);
	return r;
}

static int
io_add(json_t *list, const struct ir_value *v, const char *name, const char *type)
{
	char shape[256];

	return json_object_set_new(
		list, name,
		json_pack("{s:s, s:s}", "type", type, "shape", shape_str(&v->shape, shape, sizeof(shape))));
}

/* Lists the inputs that the graph uses; with a picture, those beside it. */
static json_t *
values_list(const struct ir_graph *g, bool picture)
{
	json_t *list = json_object();
	int failed = 0;
	size_t i;

	for (i = 0; i < g->n_value; i++)
		if (g->value[i]->kind == IR_INPUT && (!picture || g->value[i]->from_caller))
			failed |= io_add(list, g->value[i], g->value[i]->name, elem_word(g->value[i]->elem));
	return json_whole(list, failed);
}

static json_t *
inputs_list(const struct ir_graph *g, enum variant v)
{
	const struct ir_value picture = front_input();
	json_t *list;

	list = values_list(g, variant_takes_picture(v));
	if (!list || !variant_takes_picture(v))
		return list;
	return json_whole(list, io_add(list, &picture, picture.name, elem_word(picture.elem)));
}

static json_t *
outputs_list(const struct conversion *c, const struct ir_graph *g)
{
	const struct profile *profile = spec_profile(&c->spec);
	struct extra_output out[EXTRA_MAX];
	const size_t n = extra_list(g, conversion_extras(c), out);
	struct ir_value v;
	json_t *list;
	int failed;
	size_t i;

	if (!g->output)
		return values_list(g, false);
	list = json_object();
	failed = io_add(list, g->output, conversion_output(c), profile->output_half ? "f16" : "f32");
	for (i = 0; i < g->n_beside; i++) /* none where the program takes float16 */
		failed |= io_add(list, g->beside[i], g->beside[i]->name, elem_word(g->beside[i]->elem));
	for (i = 0; i < n; i++) {
		v = (struct ir_value){.shape = out[i].shape};
		failed |= io_add(list, &v, out[i].name, elem_word(out[i].elem));
	}
	return json_whole(list, failed);
}

/* The exported graph of a variant; NULL: the job did not ask for it. */
static const struct onnx_graph_info *
graph_info(const struct conversion *c, int v)
{
	const struct onnx_graph_info *info;
	size_t i;

	for (i = 0; c->graph[v] && i < onnx_export_graph_count(c->onnx); i++) {
		info = onnx_export_graph(c->onnx, i);
		if (str_eq(info->file, c->graph_file[v]))
			return info;
	}
	return NULL;
}

static json_t *
graph_to_json(const struct conversion *c, int v, const struct onnx_graph_info *info)
{
	_cleanup_free_ char *file = conversion_artifact_name(c, info->file);
	char release[RELEASE_LEN];

	return json_pack("{s:s?, s:I, s:I, s:s, s:o, s:o}", "file", file, "nodes", (json_int_t)info->nodes,
			 "weight_bytes", (json_int_t)info->weight_bytes, "onnxruntime",
			 release_str(info->runtime, release), "inputs",
			 inputs_list(c->graph[v], (enum variant)v), "outputs", outputs_list(c, c->graph[v]));
}

/* A component of the model package: it has a single variant, which runs on the CPU. */
static json_t *
component_to_json(const struct conversion *c, int v, const struct onnx_graph_info *info)
{
	(void)v;
	return json_pack("{s:{s:{s:s, s:s, s:s, s:{s:{s:s}}}}}", "variants", "cpu", "variant_directory",
			 c->folder[0] ? c->folder : ".", "ep", "CPUExecutionProvider", "device", "cpu",
			 "executor_info", "ort", "model_file", info->file);
}

typedef json_t *(*graph_json_fn)(const struct conversion *c, int v, const struct onnx_graph_info *info);

/* Of each graph what `make` makes, by the variant's name. */
static json_t *
graphs_map(const struct conversion *c, graph_json_fn make)
{
	const struct onnx_graph_info *info;
	json_t *map = json_object();
	int v, failed = 0;

	for (v = 0; v < VARIANT_MAX; v++)
		if ((info = graph_info(c, v)))
			failed |= json_object_set_new(map, variant_name((enum variant)v), make(c, v, info));
	return json_whole(map, failed);
}

/* The name of a file of weights within its source: "1_Dense/model.safetensors". An adapter has a source of its own. */
static const char *
weights_name(const struct checkpoint *ck, const struct st_file *f)
{
	const char *path = st_path(f), *dir = checkpoint_dir(ck), *adapter = checkpoint_adapter(ck);

	if ((adapter && str_starts(path, adapter)) || !str_starts(path, dir) || path[strlen(dir)] != '/')
		return fs_basename(path);
	return path + strlen(dir) + 1;
}

/* Adds the files from index `from` up to but excluding `to` to their source. */
static json_t *
source_part(const struct conversion *c, json_t *source, size_t from, size_t to)
{
	json_t *list = json_array();
	const struct st_file *f;
	int failed = 0;
	size_t i;

	for (i = from; i < to; i++) {
		f = checkpoint_file(c->checkpoint, i);
		failed |= json_array_append_new(
			list, json_pack("{s:s, s:I, s:s}", "name", weights_name(c->checkpoint, f), "size",
					(json_int_t)st_len(f), "sha256", sources_sha256(c->sources, i)));
	}
	failed |= json_object_set_new(source, "weights", list);
	return json_whole(source, failed);
}

/* Adds the licence that a source's card declares. */
static json_t *
licensed(json_t *source, const char *licence)
{
	return json_whole(source,
			  licence[0] ? json_object_set_new(source, "license", json_string(licence)) : 0);
}

/* The adapter's own file is the last one. */
static json_t *
source_list(const struct conversion *c)
{
	const size_t n = checkpoint_file_count(c->checkpoint);
	const bool within = checkpoint_adapter_within(c->checkpoint);
	json_t *source = licensed(source_to_json(&c->source), c->licence[within]), *base;

	if (!checkpoint_adapter(c->checkpoint) || within)
		return source_part(c, source, 0, n);
	base = c->base.asked ? source_to_json(&c->base)
			     : json_pack("{s:s}", "path", checkpoint_dir(c->checkpoint));
	base = licensed(base, c->licence[1]);
	source = source_part(c, source, n - 1, n);
	return json_whole(source, json_object_set_new(source, "base", source_part(c, base, 0, n - 1)));
}

/* The rankings without their scores. */
static json_t *
rankings_short(const json_t *report)
{
	static const char *const keys[] = {"queries_model",    "documents_model", "queries", "documents",
					   "max_score_change", "mean_tau",        "top1",    "top5"};
	json_t *list = json_array(), *k, *one;
	int failed = 0;
	size_t i, n;

	json_array_foreach(json_object_get(report, "ranking"), i, k) {
		one = json_object();
		for (n = 0; n < ARRAY_LEN(keys); n++)
			failed |= json_object_set(one, keys[n], json_object_get(k, keys[n]));
		failed |= json_array_append_new(list, one);
	}
	return json_whole(list, failed);
}

static json_t *
parity_short(const struct conversion *c)
{
	return c->parity
		       ? json_pack("{s:O, s:O, s:O, s:O, s:O, s:o}", "passed",
				   json_object_get(c->parity, "passed"), "limits",
				   json_object_get(c->parity, "limits"), "worst",
				   json_object_get(c->parity, "worst"), "outputs",
				   json_object_get(c->parity, "outputs"), "cosine",
				   json_object_get(c->parity, "cosine"), "ranking", rankings_short(c->parity))
		       : json_null();
}

uint64_t
conversion_parameters(const struct conversion *c)
{
	const size_t count = checkpoint_count(c->checkpoint);
	uint64_t sum = 0;
	size_t i, k;
	bool used;
	int v;

	for (i = 0; i < count; i++) {
		used = false;
		for (v = 0; v < VARIANT_MAX && !used; v++)
			for (k = 0; c->graph[v] && k < c->graph[v]->n_value && !used; k++)
				used = c->graph[v]->value[k]->weight == checkpoint_get(c->checkpoint, i);
		sum += used ? (uint64_t)checkpoint_get(c->checkpoint, i)->tensor->count : 0;
	}
	return sum;
}

static json_t *
versions_list(const struct conversion *c)
{
	const json_t *runtime = c->parity ? json_object_get(c->parity, "onnxruntime") : NULL;

	return json_pack("{s:s, s:s, s:s?}", "colconv", PACKAGE_VERSION, "libtorch", tt_version(),
			 "onnxruntime", runtime ? json_string_value(runtime) : NULL);
}

/* The devices that computed the two sides of the comparison; null: parity was not checked. */
static json_t *
devices_list(const struct conversion *c)
{
	return c->parity ? json_pack("{s:s, s:s}", "reference", c->device == TT_CUDA ? "cuda" : "cpu",
				     "onnxruntime", "cpu")
			 : json_null();
}

/* The length of an embedding: the last axis of the output. null if no graph gives embeddings (preprocess alone). */
static json_t *
dim_of(const struct conversion *c)
{
	const struct ir_value *output = NULL;
	int v;

	for (v = 0; v < VARIANT_MAX && !output; v++)
		output = c->graph[v] ? c->graph[v]->output : NULL;
	return output ? json_integer(output->shape.dim[output->shape.rank - 1].num) : json_null();
}

/* Which tokens attend to which, and who says so; NULL: the family has one direction. */
static json_t *
direction_to_json(const struct conversion *c)
{
	const struct model_direction *d = c->model->direction ? c->model->direction(c->config) : NULL;

	return d ? json_pack("{s:s, s:s}", "value", d->bidirectional ? "bidirectional" : "causal", "how",
			     d->how)
		 : NULL;
}

/* The repository whose pages the vectors of queries are for, by the name of the source; NULL: it is not known. */
static const char *
pages_of(const struct conversion *c)
{
	const char *repo = c->source.snapshot.repo;
	const struct repository *r = repository_find(repo && *repo ? repo : fs_basename(c->spec.model));

	return r ? r->pages : NULL;
}

/* {"retrieval": 0, "code": 1}: what the graphs' input for tasks takes. NULL: they have no such input, or memory ran out. */
static json_t *
tasks_list(const struct conversion *c)
{
	const size_t n = checkpoint_task_count(c->checkpoint);
	json_t *list = n ? json_object() : NULL;
	int failed = 0;
	size_t i;

	for (i = 0; i < n; i++)
		failed |= json_object_set_new(list, checkpoint_task_name(c->checkpoint, i),
					      json_integer((json_int_t)i));
	return json_whole(list, failed);
}

/* All facts except the files: one of these is the card, which is made from the facts. Takes `processing`. */
static json_t *
facts_make(const struct conversion *c, json_t *processing)
{
	const bool queries_alone = !(c->model->arch->variants & 1u << VARIANT_IMAGE);
	const char *pages = queries_alone ? pages_of(c) : NULL;
	json_t *facts;

	facts = json_pack(
		"{s:s, s:s, s:s, s:I, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O, s:o*}",
		"format", MANIFEST_FORMAT, "architecture", c->model->arch->family, "title",
		c->model->arch->title, "parameters", (json_int_t)conversion_parameters(c), "dim", dim_of(c),
		"similarity", head_similarity(c->found.head), "head", head_name(c->found.head), "source",
		source_list(c), "options", spec_artifact_to_json(&c->spec), "graphs",
		graphs_map(c, graph_to_json), "processing", processing, "versions", versions_list(c),
		"devices", devices_list(c), "rounding", rounded_to_json(c), "parity", parity_short(c),
		"warnings", c->warnings, "direction", direction_to_json(c));
	if (queries_alone)
		(void)json_object_set_new(facts, "pages_of", pages ? json_string(pages) : json_null());
	return facts;
}

/* The last component of the source: "colqwen2-v1.0" for vidore/colqwen2-v1.0. */
static const char *
package_name(const struct conversion *c)
{
	const char *name = fs_basename(c->spec.model);

	return *name ? name : c->model->arch->family;
}

int
manifest_write(struct conversion *c, struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->job->out_dir, MANIFEST_FILE);
	json_auto_t *facts = NULL, *files = json_array(), *package = NULL;
	json_t *processing;
	int r;

	if (!c->warnings)
		c->warnings = json_array();
	if (!path || !files || !c->warnings)
		return err_no_memory(e);
	r = sources_hash_wait(c->sources, e);
	if (r < 0)
		return r;
	r = processing_make(c, &processing, e);
	if (r < 0)
		return r;
	facts = facts_make(c, processing);
	if (!facts ||
	    (checkpoint_task_count(c->checkpoint) && json_object_set_new(facts, "tasks", tasks_list(c)) < 0))
		return err_no_memory(e);
	r = card_write(c, facts, e);
	if (r == 0)
		r = program_files_write(c, e);
	if (r == 0)
		r = files_list(c, files, e);
	if (r < 0)
		return r;
	package = json_pack("{s:s, s:s, s:o, s:O}", "schema_version", "1.0", "package_name", package_name(c),
			    "components", graphs_map(c, component_to_json), "additional_metadata", facts);
	if (!package || json_object_set(facts, "files", files) < 0)
		return err_no_memory(e);
	return json_write(path, package, e);
}
