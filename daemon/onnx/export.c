#include "onnx.h"

#include "base/fs.h"
#include "base/str.h"
#include "emit.h"

#define META_MAX 16

struct graph {
	struct emit_job emit;
	struct extdata *own; /* the file, with the weights inside */
	char *name, *file;
	struct onnx_graph_info info;
};

struct onnx_job {
	char *dir;
	struct onnx_options options;
	struct extdata *data;         /* the weights beside the graphs */
	char *meta[2 * META_MAX + 1]; /* key, value, ..., NULL */
	size_t n_meta;
	struct graph *graph;
	size_t n_graph;
	struct onnx_file *file; /* those of weights, and one for each graph */
	size_t n_file;
};

/* Progress over all files. */
struct sum {
	onnx_progress_fn progress; /* NULL: nobody asks */
	void *userdata;
	uint64_t before, total;
};

static int
no_memory(struct err *e)
{
	return err_set(e, E_NO_MEMORY, "memory ran out for the ONNX files");
}

int
onnx_job_new(const char *dir, const struct onnx_options *o, struct onnx_job **ret, struct err *e)
{
	_cleanup_(onnx_job_free) struct onnx_job *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return no_memory(e);
	j->options = *o;
	j->dir = strdup(dir);
	if (!j->dir)
		return no_memory(e);
	r = extdata_new(o->shard_max, &j->data, e);
	if (r < 0)
		return r;
	*ret = TAKE(j);
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
onnx_job_free(struct onnx_job **jp)
{
	struct onnx_job *j = *jp;
	size_t i;

	if (!j)
		return;
	for (i = 0; i < j->n_graph; i++)
		graph_release(&j->graph[i]);
	for (i = 0; i < j->n_meta; i++)
		free(j->meta[i]);
	for (i = 0; i < j->n_file; i++)
		free(j->file[i].name);
	extdata_free(&j->data);
	free(j->graph);
	free(j->file);
	free(j->dir);
	free(j);
	*jp = NULL;
}

int
onnx_job_meta(struct onnx_job *j, const char *key, const char *value, struct err *e)
{
	assert(j->n_meta < 2 * META_MAX);
	j->meta[j->n_meta] = strdup(key);
	j->meta[j->n_meta + 1] = strdup(value);
	j->n_meta += 2;
	return j->meta[j->n_meta - 2] && j->meta[j->n_meta - 1] ? 0 : no_memory(e);
}

int
onnx_job_add(struct onnx_job *j, const struct ir_graph *g, const char *file, struct err *e)
{
	struct graph *all = realloc(j->graph, (j->n_graph + 1) * sizeof(*all)), *new;
	int r;

	if (!all)
		return no_memory(e);
	j->graph = all;
	new = &all[j->n_graph];
	*new = (struct graph){.name = strdup(g->name), .file = strdup(file)};
	new->emit = (struct emit_job){
		.graph = g,
		.options = &j->options,
		.data = j->data,
		.meta = (const char *const *)j->meta,
	};
	r = new->name &&new->file ? 0 : no_memory(e);
	if (r == 0 && j->options.embed) {
		r = extdata_new(/*file_max=*/0, &new->own, e);
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
		.bytes = new->emit.packed.len,
		.weight_bytes = new->emit.weight_bytes,
	};
	j->n_graph++;
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

/* One of the files that `x` is. */
static int
data_write(struct onnx_job *j, const struct extdata *x, size_t file, const char *name, struct sum *s,
	   struct err *e)
{
	_cleanup_free_ char *path = fs_join(j->dir, name), *copy = strdup(name);
	struct onnx_file *f = &j->file[j->n_file];
	int r;

	if (!path || !copy)
		return no_memory(e);
	r = extdata_write(x, file, path, sum_progress, s, f->sha256, e);
	if (r < 0)
		return r;
	s->before += x->file[file];
	f->name = TAKE(copy);
	f->size = x->file[file];
	j->n_file++;
	return 0;
}

static int
graph_write(struct onnx_job *j, const struct graph *g, struct err *e)
{
	_cleanup_free_ char *path = fs_join(j->dir, g->file), *copy = strdup(g->file);
	_cleanup_(sha256_free) struct sha256 *h = NULL;
	struct onnx_file *f = &j->file[j->n_file];
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
	j->n_file++;
	return 0;
}

int
onnx_job_write(struct onnx_job *j, onnx_progress_fn progress, void *userdata, struct err *e)
{
	struct sum s = {.progress = progress, .userdata = userdata, .total = extdata_len(j->data)};
	char name[EXTDATA_NAME_LEN];
	const struct graph *g;
	size_t i;
	int r = 0;

	assert(!j->file);
	j->file = calloc(j->data->n_file + j->n_graph + 1, sizeof(*j->file));
	if (!j->file)
		return no_memory(e);
	for (i = 0; i < j->n_graph; i++)
		s.total += j->graph[i].own ? extdata_len(j->graph[i].own) : 0;
	for (i = 0; i < j->data->n_file && r == 0; i++)
		r = data_write(j, j->data, i, extdata_file_name(i, name), &s, e);
	for (i = 0; i < j->n_graph && r == 0; i++) {
		g = &j->graph[i];
		r = g->own ? data_write(j, g->own, 0, g->file, &s, e) : graph_write(j, g, e);
	}
	return r == 0 ? fs_sync_dir(j->dir, e) : r;
}

size_t
onnx_job_graph_count(const struct onnx_job *j)
{
	return j->n_graph;
}

const struct onnx_graph_info *
onnx_job_graph(const struct onnx_job *j, size_t i)
{
	return &j->graph[i].info;
}

size_t
onnx_job_file_count(const struct onnx_job *j)
{
	return j->n_file;
}

const struct onnx_file *
onnx_job_file(const struct onnx_job *j, size_t i)
{
	return &j->file[i];
}
