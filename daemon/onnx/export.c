#include "onnx.h"

#include "base/fs.h"
#include "base/str.h"
#include "emit.h"

#define META_MAX 16

struct graph {
	struct emit_job emit;
	struct extdata *own; /* its weights, inside its file or in a file beside it; NULL: shared weights */
	char *name, *file;
	struct onnx_graph_info info;
};

struct onnx_export {
	char *dir;
	struct onnx_options options;
	const struct document *front; /* of the graph added next */
	struct extdata *data;         /* weights in files beside the graphs */
	char *meta[2 * META_MAX + 1]; /* key, value, ..., NULL */
	size_t n_meta;
	struct graph *graph;
	size_t n_graph;
	struct onnx_file *file; /* the files of weights, and one file for each graph */
	size_t n_file;
};

/* Progress over all files. */
struct sum {
	onnx_progress_fn progress; /* NULL: progress is not reported */
	void *userdata;
	uint64_t before, total;
};

static int
no_memory(struct err *e)
{
	return err_set(e, E_NO_MEMORY, "memory ran out for the ONNX files");
}

int
onnx_export_new(const char *dir, const struct onnx_options *o, struct onnx_export **ret, struct err *e)
{
	_cleanup_(onnx_export_free) struct onnx_export *ex = calloc(1, sizeof(*ex));
	int r;

	if (!ex)
		return no_memory(e);
	ex->options = *o;
	ex->dir = strdup(dir);
	if (!ex->dir)
		return no_memory(e);
	r = extdata_new(ONNX_DATA_FILE, o->shard_max, &ex->data, e);
	if (r < 0)
		return r;
	*ret = TAKE(ex);
	return 0;
}

static void
graph_release(struct graph *g)
{
	extdata_free(&g->own);
	buf_release(&g->emit.packed);
	tally_release(&g->emit.tally);
	free(g->name);
	free(g->file);
}

void
onnx_export_free(struct onnx_export **exp)
{
	struct onnx_export *ex = *exp;
	size_t i;

	if (!ex)
		return;
	for (i = 0; i < ex->n_graph; i++)
		graph_release(&ex->graph[i]);
	for (i = 0; i < ex->n_meta; i++)
		free(ex->meta[i]);
	for (i = 0; i < ex->n_file; i++)
		free(ex->file[i].name);
	extdata_free(&ex->data);
	free(ex->graph);
	free(ex->file);
	free(ex->dir);
	free(ex);
	*exp = NULL;
}

int
onnx_export_meta(struct onnx_export *ex, const char *key, const char *value, struct err *e)
{
	assert(ex->n_meta < 2 * META_MAX);
	ex->meta[ex->n_meta] = strdup(key);
	ex->meta[ex->n_meta + 1] = strdup(value);
	ex->n_meta += 2;
	return ex->meta[ex->n_meta - 2] && ex->meta[ex->n_meta - 1] ? 0 : no_memory(e);
}

void
onnx_export_front(struct onnx_export *ex, const struct document *front)
{
	ex->front = front;
}

int
onnx_export_add(struct onnx_export *ex, const struct ir_graph *g, const char *file, struct err *e)
{
	struct graph *all = realloc(ex->graph, (ex->n_graph + 1) * sizeof(*all)), *new;
	int r;

	if (!all)
		return no_memory(e);
	ex->graph = all;
	new = &all[ex->n_graph];
	*new = (struct graph){.name = strdup(g->name), .file = strdup(file)};
	new->emit = (struct emit_job){
		.graph = g,
		.front = TAKE(ex->front),
		.options = &ex->options,
		.data = ex->data,
		.meta = (const char *const *)ex->meta,
	};
	r = new->name &&new->file ? 0 : no_memory(e);
	if (r == 0 && (ex->options.embed || ex->options.own_data)) {
		_cleanup_free_ char *data =
			str_printf("%s%s", file, ex->options.own_data ? ex->options.own_data : "");

		r = data ? extdata_new(data, /*file_max=*/0, &new->own, e) : no_memory(e);
		new->emit.data = new->own;
	}
	if (r == 0)
		r = emit_graph(&new->emit, e);
	if (r < 0) {
		graph_release(new);
		return r;
	}
	new->info = (struct onnx_graph_info){
		.name = new->name,
		.file = new->file,
		.nodes = new->emit.tally.total,
		.op = new->emit.tally.row,
		.n_op = new->emit.tally.n,
		.runtime = new->emit.runtime,
		.bytes = new->emit.packed.len,
		.weight_bytes = new->emit.weight_bytes,
	};
	ex->n_graph++;
	return 0;
}

static void
sum_progress(void *userdata, uint64_t done, uint64_t total, const char *name)
{
	const struct sum *s = userdata;

	(void)total;
	if (s->progress)
		s->progress(s->userdata, s->before + done, s->total, name);
}

/* Writes one file of `x`. */
static int
data_write(struct onnx_export *ex, const struct extdata *x, size_t file, const char *name, struct sum *s,
	   struct err *e)
{
	_cleanup_free_ char *path = fs_join(ex->dir, name), *copy = strdup(name);
	struct onnx_file *f = &ex->file[ex->n_file];
	int r;

	if (!path || !copy)
		return no_memory(e);
	r = extdata_write(x, file, path, sum_progress, s, f->sha256, e);
	if (r < 0)
		return r;
	s->before += x->file[file];
	f->name = TAKE(copy);
	f->size = x->file[file];
	ex->n_file++;
	return 0;
}

static int
graph_write(struct onnx_export *ex, const struct graph *g, struct err *e)
{
	_cleanup_free_ char *path = fs_join(ex->dir, g->file), *copy = strdup(g->file);
	_cleanup_(sha256_free) struct sha256 *h = NULL;
	struct onnx_file *f = &ex->file[ex->n_file];
	int r;

	if (!path || !copy)
		return no_memory(e);
	r = sha256_new(&h, e);
	if (r == 0)
		r = fs_write_file(path, g->emit.packed.data, g->emit.packed.len, e);
	if (r < 0)
		return r;
	sha256_add(h, g->emit.packed.data, g->emit.packed.len);
	sha256_finish(h, f->sha256);
	f->name = TAKE(copy);
	f->size = g->emit.packed.len;
	ex->n_file++;
	return 0;
}

/* Writes the files that hold only weights. */
static int
weights_write(struct onnx_export *ex, const struct extdata *x, struct sum *s, struct err *e)
{
	char name[EXTDATA_NAME_LEN];
	size_t i;
	int r = 0;

	for (i = 0; i < x->n_file && r == 0; i++)
		r = data_write(ex, x, i, extdata_file_name(x, i, name), s, e);
	return r;
}

int
onnx_export_write(struct onnx_export *ex, onnx_progress_fn progress, void *userdata, struct err *e)
{
	struct sum s = {.progress = progress, .userdata = userdata, .total = extdata_len(ex->data)};
	const struct graph *g;
	size_t i, files = ex->data->n_file + ex->n_graph;
	int r;

	assert(!ex->file);
	for (i = 0; i < ex->n_graph; i++)
		if (ex->graph[i].own) {
			s.total += extdata_len(ex->graph[i].own);
			files += ex->graph[i].own->n_file;
		}
	ex->file = calloc(files + 1, sizeof(*ex->file));
	if (!ex->file)
		return no_memory(e);
	r = weights_write(ex, ex->data, &s, e);
	for (i = 0; i < ex->n_graph && r == 0; i++) {
		g = &ex->graph[i];
		if (ex->options.embed) {
			r = data_write(ex, g->own, 0, g->file, &s, e);
			continue;
		}
		r = g->own ? weights_write(ex, g->own, &s, e) : 0;
		if (r == 0)
			r = graph_write(ex, g, e);
	}
	return r == 0 ? fs_sync_dir(ex->dir, e) : r;
}

size_t
onnx_export_graph_count(const struct onnx_export *ex)
{
	return ex->n_graph;
}

const struct onnx_graph_info *
onnx_export_graph(const struct onnx_export *ex, size_t i)
{
	return &ex->graph[i].info;
}

size_t
onnx_export_file_count(const struct onnx_export *ex)
{
	return ex->n_file;
}

const struct onnx_file *
onnx_export_file(const struct onnx_export *ex, size_t i)
{
	return &ex->file[i];
}
