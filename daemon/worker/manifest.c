#include "manifest.h"

#include "base/fs.h"
#include "base/sha256.h"
#include "base/str.h"
#include "onnx/front.h"
#include "torch/shim.h"
#include "config.h"

/* What a builder gives back: nothing when one of its parts was lost for lack of memory. */
static json_t *
whole(json_t *j, int failed)
{
	if (j && !failed)
		return j;
	json_decref(j);
	return NULL;
}

static int
file_add(json_t *files, const char *name, uint64_t size, const char *sha256, struct err *e)
{
	json_t *j = json_pack("{s:s, s:I, s:s}", "name", name, "size", (json_int_t)size, "sha256", sha256);

	if (!j || json_array_append_new(files, j) < 0)
		return err_no_memory(e);
	return 0;
}

/* A file that lies in the job's folder already. */
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
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < onnx_export_file_count(c->onnx); i++) {
		f = onnx_export_file(c->onnx, i);
		r = file_add(files, f->name, f->size, f->sha256, e);
	}
	if (r == 0 && c->parity)
		r = file_hash(c, files, "parity.json", e);
	for (i = 0; r == 0 && i < p->n; i++)
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

/* What the graph's nodes read. */
static json_t *
values_list(const struct ir_graph *g)
{
	json_t *list = json_object();
	int failed = 0;
	size_t i;

	for (i = 0; i < g->n_value; i++)
		if (g->value[i]->kind == IR_INPUT)
			failed |= io_add(list, g->value[i], g->value[i]->name, elem_word(g->value[i]->elem));
	return whole(list, failed);
}

static json_t *
inputs_list(const struct ir_graph *g, enum variant v)
{
	const struct ir_value picture = front_input();
	json_t *list;

	if (!variant_takes_picture(v))
		return values_list(g);
	list = json_object();
	return whole(list, io_add(list, &picture, picture.name, elem_word(picture.elem)));
}

static json_t *
outputs_list(const struct conversion *c, const struct ir_graph *g)
{
	const struct profile *profile = spec_profile(&c->spec);
	json_t *list;

	if (!g->output)
		return values_list(g);
	list = json_object();
	return whole(list, io_add(list, g->output, profile->output ? profile->output : g->output->name,
				  profile->output_half ? "f16" : "f32"));
}

static json_t *
graphs_list(const struct conversion *c)
{
	const struct onnx_graph_info *info;
	json_t *list = json_object();
	int v, failed = 0;
	size_t i;

	for (v = 0; v < VARIANT_MAX; v++)
		for (i = 0; c->graph[v] && i < onnx_export_graph_count(c->onnx); i++) {
			info = onnx_export_graph(c->onnx, i);
			if (str_eq(info->file, conversion_file(c, (enum variant)v)))
				failed |= json_object_set_new(
					list, variant_name((enum variant)v),
					json_pack("{s:s, s:I, s:I, s:o, s:o}", "file", info->file, "nodes",
						  (json_int_t)info->nodes, "weight_bytes",
						  (json_int_t)info->weight_bytes, "inputs",
						  inputs_list(c->graph[v], (enum variant)v), "outputs",
						  outputs_list(c, c->graph[v])));
		}
	return whole(list, failed);
}

/* A source and its files of weights, from the one to before the other. */
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
			list, json_pack("{s:s, s:I, s:s}", "name", fs_basename(st_path(f)), "size",
					(json_int_t)st_len(f), "sha256", sources_sha256(c->sources, i)));
	}
	failed |= json_object_set_new(source, "weights", list);
	return whole(source, failed);
}

/* The adapter's own file is the last. */
static json_t *
source_list(const struct conversion *c)
{
	const size_t n = checkpoint_file_count(c->checkpoint);
	json_t *source = source_to_json(&c->source), *base;

	if (!checkpoint_adapter(c->checkpoint))
		return source_part(c, source, 0, n);
	base = c->base.asked ? source_to_json(&c->base)
			     : json_pack("{s:s}", "path", checkpoint_dir(c->checkpoint));
	source = source_part(c, source, n - 1, n);
	return whole(source, json_object_set_new(source, "base", source_part(c, base, 0, n - 1)));
}

static json_t *
parity_short(const struct conversion *c)
{
	return c->parity ? json_pack("{s:O, s:O, s:O}", "passed", json_object_get(c->parity, "passed"),
				     "limits", json_object_get(c->parity, "limits"), "worst",
				     json_object_get(c->parity, "worst"))
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

int
manifest_write(struct conversion *c, struct err *e)
{
	const json_t *runtime = c->parity ? json_object_get(c->parity, "onnxruntime") : NULL;
	_cleanup_free_ char *path = fs_join(c->job->out_dir, MANIFEST_FILE);
	json_t *files = json_array();
	json_auto_t *j = NULL;
	int r;

	if (!path || !files)
		return err_no_memory(e);
	r = files_list(c, files, e);
	if (r == 0)
		r = sources_hash_wait(c->sources, e);
	if (r < 0) {
		json_decref(files);
		return r;
	}
	j = json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:{s:s, s:s, s:s?}, s:o, s:o, s:o}", "format",
		      "colconv-manifest/1", "architecture", c->model->arch->family, "parameters",
		      (json_int_t)conversion_parameters(c), "source", source_list(c), "options",
		      spec_artifact_to_json(&c->spec), "graphs", graphs_list(c), "versions", "colconv",
		      PACKAGE_VERSION, "libtorch", tt_version(), "onnxruntime",
		      runtime ? json_string_value(runtime) : NULL, "parity", parity_short(c), "warnings",
		      c->warnings ? json_incref(c->warnings) : json_array(), "files", files);
	if (!j)
		return err_no_memory(e);
	return json_write(path, j, e);
}
