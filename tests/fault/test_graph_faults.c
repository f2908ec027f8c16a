/*
 * Which parity case finds which fault of an exported graph.
 *
 * Graphs of tiny checkpoints are exported and pass their parity cases. Then faults are planted in the ONNX files
 * themselves, one at a time: a mask on the wrong side, a size that was baked in, sides that change places. Each must
 * make the case named beside it fail. So a case that is made smaller, or left out, must go on proving what it is for.
 * Needs ONNX Runtime's library.
 */
#include "../unit/test.h"

#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"
#include "model/model.h"
#include "onnx/onnx.h"
#include "onnx/read.h"
#include "parity/report.h"
#include "trace/eval.h"
#include "worker/cases.h"

static char dir[] = "/tmp/colconv-test-faults-XXXXXX";
static bool skipped;

enum how {
	READS,      /* the node's input `i` is `other`, plus `n` */
	DOES,       /* the node has the op `other` */
	SWAPPED,    /* the results of the node and of `other` change places */
	TRANSPOSED, /* the node's input `i` is transposed */
	CAPPED,     /* whole numbers of its result above `n` become `n` */
	SCALED,     /* its result is multiplied by `n` thousandths */
	NEGATED,    /* its result is true where it was false */
	FIRST_ROW,  /* its result is that of the batch's first row, for all rows */
	BAKED,      /* its result is the number `n` */
};

enum family { COLQWEN2, COLQWEN2_5, COLPALI, COLIDEFICS3, BIQWEN2, GRANITE, FAMILY_MAX };

static const char *const folders[FAMILY_MAX] = {
	[COLQWEN2] = "colqwen2-tiny", [COLQWEN2_5] = "colqwen2_5-tiny",   [COLPALI] = "colpali-tiny",
	[BIQWEN2] = "biqwen2-tiny",   [COLIDEFICS3] = "colidefics3-tiny", [GRANITE] = "granitevisionemb-tiny",
};

/* clang-format off */
static const struct fault {
	const char *words;
	enum family family;
	enum variant graph;
	enum how how;
	const char *node; /* its result's name */
	int i;
	const char *other;
	int n;
	const char *found_by;
} faults[] = {
	{"the mask is on the wrong side", COLQWEN2, VARIANT_TEXT, DOES, "lm.00.attn.attention/past", 0, "LessOrEqual", 0, "text-one"},
	{"a matrix is transposed", COLQWEN2, VARIANT_TEXT, TRANSPOSED, "lm.01.attn.o", 1, NULL, 0, "text-one"},
	{"a layer has the weights of another", COLQWEN2, VARIANT_TEXT, READS, "lm.02.attn.q/product", 1, "lm.layers.1.self_attn.q_proj.weight.T", 0, "text-one"},
	{"positions turn the wrong way", COLQWEN2, VARIANT_TEXT, SCALED, "rope.sin/signed", 0, NULL, -1000, "text-one"},
	{"scores are 1 % too large", COLQWEN2, VARIANT_TEXT, SCALED, "lm.01.attn.attention/scores", 0, NULL, 1010, "text-one"},
	{"embeddings are 0.1 % too long", COLQWEN2, VARIANT_TEXT, SCALED, "head.l2_normalize", 0, NULL, 1001, "text-one"},
	{"padding is attended to", COLQWEN2, VARIANT_TEXT, SCALED, "unmasked/bias", 0, NULL, 0, "text-short-padded"},
	{"all rows have the first row's mask", COLQWEN2, VARIANT_TEXT, FIRST_ROW, "unmasked/bias", 0, NULL, 0, "text-short-padded"},
	{"padding on the right is attended to", COLPALI, VARIANT_TEXT, SCALED, "unmasked/bias", 0, NULL, 0, "text-right-padded"},
	{"the last token is pooled, masked or not", BIQWEN2, VARIANT_TEXT, READS, "head.add", 1, "head.size", -1, "text-right-padded"},
	{"positions end at 100", COLQWEN2, VARIANT_TEXT, CAPPED, "rope.iota", 0, NULL, 100, "text-long-padded"},
	{"the number of tokens is the trace's", COLQWEN2, VARIANT_TEXT, BAKED, "dim.sequence", 0, NULL, 7, "text-one"},

	{"the number of patches is the trace's", COLQWEN2, VARIANT_IMAGE, BAKED, "dim.patches", 0, NULL, 20, "image-one"},
	{"rows of an image count from one", COLQWEN2, VARIANT_IMAGE, READS, "mrope.where.4", 1, "mrope.div", 1, "image-one"},
	{"pixels of a token are in another order", COLQWEN2, VARIANT_IMAGE, READS, "vis.pos.row", 1, "vis.pos.mod.4", 0, "image-one"},
	{"height and width change places", COLQWEN2, VARIANT_IMAGE, SWAPPED, "grid.h", 0, "grid.w", 0, "image-beside-text"},
	{"the shorter side moves the text behind", COLQWEN2, VARIANT_IMAGE, DOES, "mrope.max", 0, "Min", 0, "image-beside-text"},
	{"padded patches are attended to", COLQWEN2, VARIANT_IMAGE, SCALED, "vis.pos.seen/bias", 0, NULL, 0, "image-beside-text"},
	{"the second image shows the first", COLQWEN2, VARIANT_IMAGE, CAPPED, "images.image.2", 0, NULL, 0, "image-beside-text"},
	{"rows end at the 7th", COLQWEN2, VARIANT_IMAGE, CAPPED, "mrope.div", 0, NULL, 6, "image-beside-text"},
	{"columns end at the 17th", COLQWEN2, VARIANT_IMAGE, CAPPED, "mrope.mod", 0, NULL, 16, "image-extreme"},
	{"images after the second show the second", COLQWEN2, VARIANT_IMAGE, CAPPED, "images.image.2", 0, NULL, 1, "image-several"},
	{"windows are not looked at", COLQWEN2_5, VARIANT_IMAGE, CAPPED, "vis.window.number", 0, NULL, 0, "image-extreme"},
	{"windows below each other are one", COLQWEN2_5, VARIANT_IMAGE, CAPPED, "vis.window.div", 0, NULL, 0, "image-extreme"},

	{"images are looked at where there are none", COLQWEN2, VARIANT_UNIFIED, NEGATED, "any_image", 0, NULL, 0, "image-one"},
	{"text without images has one position", COLQWEN2, VARIANT_UNIFIED, CAPPED, "rope.sub", 0, NULL, 0, "text-one"},
	{"the image's branch has the text's positions", COLQWEN2, VARIANT_UNIFIED, READS, "mrope.pos.h", 1, "int.0", 0, "image-beside-text"},

	{"a row's tiles are the first row's", COLIDEFICS3, VARIANT_IMAGE, CAPPED, "images.image", 0, NULL, 0, "tiles-mixed"},
	{"tiles after the third show the third", COLIDEFICS3, VARIANT_IMAGE, CAPPED, "images.image", 0, NULL, 2, "tiles-one"},
	{"blank tiles count as others", COLIDEFICS3, VARIANT_IMAGE, DOES, "images.real", 0, "LessOrEqual", 0, "tiles-several"},
	{"masked patches are attended to", COLIDEFICS3, VARIANT_IMAGE, SCALED, "vis.pos.reshape.8/bias", 0, NULL, 0, "tiles-partial"},

	{"what a tall page does not fill is not cut off", GRANITE, VARIANT_IMAGE, CAPPED, "images.where.2", 0, NULL, 0, "pages-mixed"},
	{"rows and columns of the tiles change places", GRANITE, VARIANT_IMAGE, SWAPPED, "images.grid_rows", 0, "images.grid_cols", 0, "pages-one"},
	{"every page has the first one's columns", GRANITE, VARIANT_IMAGE, FIRST_ROW, "images.grid_cols", 0, NULL, 0, "pages-several"},
};
/* clang-format on */

/* ---- a family: its graphs, its cases and what libtorch computes for them ---- */

static struct loaded {
	struct checkpoint *ck;
	const struct model *model;
	void *config;
	const char *output;
	char *folder;
	struct ir_graph *graph[VARIANT_MAX];
	struct cases cases;
} loaded[FAMILY_MAX];

static void
reference_write(const struct loaded *l, const struct plan *plan)
{
	const struct ir_graph *g = l->graph[plan_has_images(plan) ? VARIANT_IMAGE : VARIANT_TEXT];
	_cleanup_free_ char *path = str_printf("%s/case-%s.safetensors", l->folder, plan->name);
	_cleanup_(feeds_release) struct feeds in = FEEDS_INIT, made = FEEDS_INIT;
	_cleanup_(eval_free) struct eval *ev = NULL;
	struct err e = ERR_INIT;
	struct sizes sizes;
	struct feed *out;
	size_t i;

	(void)l->model->case_make(l->model, l->config, plan, 1, &in, &e);
	(void)feeds_sizes(&in, g, &sizes, &e);
	(void)eval_new(g, TT_CPU, &sizes, &ev, &e);
	assert_no_error(&e);
	for (i = 0; i < g->n_value; i++)
		if (g->value[i]->kind == IR_INPUT)
			(void)eval_feed(ev, g->value[i], feeds_find(&in, g->value[i]->name)->data, &e);
	(void)eval_run(ev, &e);
	out = feeds_add_sized(&made, g->output->name, g->output->elem, &g->output->shape, &sizes);
	assert_non_null(out);
	(void)eval_read(ev, g->output, out->data, (size_t)feed_count(out) * sizeof(float), &e);
	(void)case_write(path, &in, &made, plan->role, &e);
	(void)cases_add_file(&((struct loaded *)(uintptr_t)l)->cases, path, l->output, &e);
	assert_no_error(&e);
}

static void
graphs_export(struct loaded *l)
{
	const struct sizes sizes = l->model->trace_sizes(l->config);
	const struct model_options options = {.mask = MODEL_MASK_TRAINED};
	_cleanup_(onnx_export_free) struct onnx_export *job = NULL;
	struct err e = ERR_INIT;
	int v;

	(void)onnx_export_new(l->folder, &(struct onnx_options){.half = false}, &job, &e);
	for (v = 0; v < VARIANT_MAX; v++) {
		_cleanup_(trace_free) struct trace *t = NULL;

		if (variant_takes_picture((enum variant)v))
			continue;
		(void)trace_new(variant_name((enum variant)v), l->ck, &sizes, &t, &e);
		(void)trace_finish(t, l->model->build(t, l->config, (enum variant)v, &options), l->output,
				   &l->graph[v], &e);
		assert_no_error(&e);
		(void)onnx_export_add(job, l->graph[v], variant_file((enum variant)v), &e);
	}
	(void)onnx_export_write(job, NULL, NULL, &e);
	assert_no_error(&e);
}

static struct loaded *
family_open(enum family f)
{
	const char *top = getenv("COLCONV_SOURCE");
	_cleanup_free_ char *path = str_printf("%s/tests/golden/%s", top ? top : ".", folders[f]);
	struct model_found found;
	struct loaded *l = &loaded[f];
	struct err e = ERR_INIT;
	size_t i;

	if (l->ck)
		return l;
	(void)checkpoint_open(path, NULL, &l->ck, &e);
	assert_no_error(&e);
	(void)model_find(checkpoint_config(l->ck), HEAD_AUTO, &found, &e);
	assert_no_error(&e);
	l->model = found.model;
	l->output = head_output(found.head);
	l->config = calloc(1, l->model->config_size);
	(void)model_config_read(&found, l->ck, l->config, &e);
	l->folder = fs_join(dir, folders[f]);
	assert_int_equal(mkdir(l->folder, 0700), 0);
	graphs_export(l);
	for (i = 0; i < plan_count(); i++)
		if (plan_get(i)->kind & l->model->plans)
			reference_write(l, plan_get(i));
	return l;
}

/* ---- planting ---- */

/* A graph or the branch of one, as a list of nodes. */
struct place {
	Onnx__GraphProto *graph;
	size_t at; /* of the node */
};

static bool
node_find(Onnx__GraphProto *g, const char *result, struct place *ret)
{
	const Onnx__NodeProto *n;
	size_t i, k;

	for (i = 0; i < g->n_node; i++) {
		n = g->node[i];
		if (n->n_output && str_eq(n->output[0], result)) {
			*ret = (struct place){g, i};
			return true;
		}
		for (k = 0; k < n->n_attribute; k++)
			if (n->attribute[k]->g && node_find(n->attribute[k]->g, result, ret))
				return true;
	}
	return false;
}

/* All that is put into a model is from malloc(), as what was read is: onnx_read_close() frees both. */
static void
name_set(char **name, const char *to)
{
	free(*name);
	*name = strdup(to);
	assert_non_null(*name);
}

/* A copy of a list with room for one more at `at`. */
static void *
list_grow(void *list, size_t n, size_t at)
{
	void **old = list, **ret = calloc(n + 1, sizeof(void *));

	assert_non_null(ret);
	if (n) {
		memcpy(ret, old, at * sizeof(void *));
		memcpy(ret + at + 1, old + at, (n - at) * sizeof(void *));
	}
	free(old);
	return ret;
}

#define NUMBER "fault.number"

/* The number that the fault needs, as an initializer of the model's own graph: a scalar, or of one dim. */
static const char *
number_add(Onnx__GraphProto *g, int n, bool factor, bool vector)
{
	const int64_t whole = n;
	const float part = (float)n / 1000;
	Onnx__TensorProto *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	onnx__tensor_proto__init(t);
	name_set(&t->name, NUMBER);
	t->data_type = factor ? ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT : ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
	t->has_data_type = true;
	if (vector) {
		t->n_dims = 1;
		t->dims = calloc(1, sizeof(*t->dims));
		assert_non_null(t->dims);
		t->dims[0] = 1;
	}
	t->has_raw_data = true;
	t->raw_data.len = factor ? sizeof(part) : sizeof(whole);
	t->raw_data.data = malloc(t->raw_data.len);
	assert_non_null(t->raw_data.data);
	memcpy(t->raw_data.data, factor ? (const void *)&part : (const void *)&whole, t->raw_data.len);
	g->initializer = list_grow(g->initializer, g->n_initializer, g->n_initializer);
	g->initializer[g->n_initializer++] = t;
	return NUMBER;
}

static char **
names_new(const char *a, const char *b)
{
	char **ret = calloc(2, sizeof(char *));

	assert_non_null(ret);
	ret[0] = strdup(a);
	ret[1] = b ? strdup(b) : NULL;
	return ret;
}

/* Adds the node OP(a, b) at a place of its list. */
static void
node_add(struct place at, const char *op, const char *a, const char *b, const char *result)
{
	Onnx__NodeProto *n = calloc(1, sizeof(*n));

	assert_non_null(n);
	onnx__node_proto__init(n);
	name_set(&n->op_type, op);
	n->input = names_new(a, b);
	n->n_input = b ? 2 : 1;
	n->output = names_new(result, NULL);
	n->n_output = 1;
	at.graph->node = list_grow(at.graph->node, at.graph->n_node, at.at);
	at.graph->node[at.at] = n;
	at.graph->n_node++;
}

/* Puts OP(result, b) in the place of a node's result. */
static void
result_change(struct place at, const char *op, const char *b)
{
	char **result = &at.graph->node[at.at]->output[0];
	_cleanup_free_ char *name = strdup(*result), *inner = str_printf("%s/true", *result);

	name_set(result, inner);
	at.at++;
	node_add(at, op, inner, b, name);
}

static void
reads(Onnx__GraphProto *g, struct place at, const struct fault *f)
{
	Onnx__NodeProto *n = at.graph->node[at.at];

	assert_true(f->i < (int)n->n_input);
	name_set(&n->input[f->i], f->n ? "fault.more" : f->other);
	if (f->n)
		node_add(at, "Add", f->other, number_add(g, f->n, false, false), "fault.more");
}

static void
swapped(Onnx__GraphProto *g, struct place at, const struct fault *f)
{
	struct place other;
	char *name = at.graph->node[at.at]->output[0];

	assert_true(node_find(g, f->other, &other));
	at.graph->node[at.at]->output[0] = other.graph->node[other.at]->output[0];
	other.graph->node[other.at]->output[0] = name;
}

static void
transposed(struct place at, const struct fault *f)
{
	Onnx__NodeProto *n = at.graph->node[at.at];
	_cleanup_free_ char *in = strdup(n->input[f->i]);

	name_set(&n->input[f->i], "fault.transposed");
	node_add(at, "Transpose", in, NULL, "fault.transposed");
}

static void
plant(Onnx__GraphProto *g, const struct fault *f)
{
	struct place at;

	if (!node_find(g, f->node, &at))
		fail_msg("%s: the graph has no node '%s'", f->words, f->node);
	switch (f->how) {
	case READS:
		reads(g, at, f);
		break;
	case DOES:
		name_set(&at.graph->node[at.at]->op_type, f->other);
		break;
	case SWAPPED:
		swapped(g, at, f);
		break;
	case TRANSPOSED:
		transposed(at, f);
		break;
	case CAPPED:
		result_change(at, "Min", number_add(g, f->n, false, false));
		break;
	case SCALED:
		result_change(at, "Mul", number_add(g, f->n, true, false));
		break;
	case NEGATED:
		result_change(at, "Not", NULL);
		break;
	case FIRST_ROW: /* [1, ...], which is broadcast */
		result_change(at, "Gather", number_add(g, 0, false, true));
		break;
	case BAKED:
		name_set(&at.graph->node[at.at]->output[0], "fault.unused");
		node_add(at, "Identity", number_add(g, f->n, false, true), NULL, f->node);
		break;
	}
}

/* ---- running ---- */

/* A copy of the family's graph with the fault, or with none, beside it: they share the weights. */
static char *
graph_copy(const struct loaded *l, enum variant v, const struct fault *f)
{
	_cleanup_free_ char *path = fs_join(l->folder, variant_file(v));
	char *ret = fs_join(l->folder, "faulty.onnx");
	struct onnx_read in = ONNX_READ_INIT;
	_cleanup_free_ unsigned char *bytes = NULL;
	struct err e = ERR_INIT;
	FILE *out;
	size_t len;

	(void)onnx_read_open(path, &in, &e);
	assert_no_error(&e);
	if (f)
		plant(in.model->graph, f);
	len = onnx__model_proto__get_packed_size(in.model);
	bytes = malloc(len);
	assert_non_null(bytes);
	(void)onnx__model_proto__pack(in.model, bytes);
	out = fopen(ret, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
	onnx_read_close(&in);
	return ret;
}

/* Runs the cases on the graph; the names of those that fail, with a space before each. */
static void
cases_run(const struct loaded *l, enum variant v, const struct fault *f, struct buf *failed)
{
	_cleanup_free_ char *path = graph_copy(l, v, f);
	const char *models[VARIANT_MAX] = {NULL};
	_cleanup_(report_release) struct report report = {.limits = LIMITS_FP32};
	_cleanup_(ort_session_free) struct ort_session *s = NULL;
	struct err e = ERR_INIT;
	size_t i;

	models[v] = path;
	(void)report_plan(&report, &l->cases, models, &e);
	assert_no_error(&e);
	(void)ort_session_new(path, 1, &s, &e);
	assert_no_error(&e);
	for (i = 0; i < report.run_count; i++) {
		(void)run_case(&report.runs[i], s, &report.limits, &e);
		assert_no_error(&e);
		if (report.runs[i].why.code)
			buf_printf(failed, " %s", report.runs[i].c->name);
	}
	buf_puts(failed, " ");
}

TEST(test_faults)
{
	const struct fault *f;
	int missed = 0;

	if (skipped)
		skip();
	for (f = faults; f < faults + ARRAY_LEN(faults); f++) {
		_cleanup_(buf_release) struct buf failed = BUF_INIT;
		_cleanup_free_ char *wanted = str_printf(" %s ", f->found_by);

		cases_run(family_open(f->family), f->graph, f, &failed);
		print_message("%s (%s, %s):%s\n", f->words, folders[f->family], variant_name(f->graph),
			      failed.data);
		if (!strstr(failed.data, wanted)) {
			print_error("%s: not found by %s\n", f->words, f->found_by);
			missed++;
		}
	}
	assert_int_equal(missed, 0);
}

/* Without a fault the copies pass: what the faults are found by is the fault. */
TEST(test_no_fault)
{
	int f, v;

	if (skipped)
		skip();
	for (f = 0; f < FAMILY_MAX; f++)
		for (v = VARIANT_TEXT; v <= VARIANT_UNIFIED; v++) {
			_cleanup_(buf_release) struct buf failed = BUF_INIT;

			cases_run(family_open((enum family)f), (enum variant)v, NULL, &failed);
			assert_string_equal(failed.data, " ");
		}
}

/* Each case is there to find something. */
TEST(test_each_case_finds_a_fault)
{
	size_t i, k;
	bool any;

	for (i = 0; i < plan_count(); i++) {
		for (k = 0, any = false; k < ARRAY_LEN(faults); k++)
			any |= str_eq(faults[k].found_by, plan_get(i)->name);
		if (!any)
			fail_msg("no fault is planted that the case '%s' finds", plan_get(i)->name);
	}
}

static int
setup(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	skipped = ort_open(NULL, &e) < 0;
	if (skipped)
		print_message("skipped: %s\n", e.msg);
	return skipped || mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
	int f, v;

	(void)state;
	for (f = 0; f < FAMILY_MAX; f++) {
		cases_release(&loaded[f].cases);
		for (v = 0; v < VARIANT_MAX; v++)
			graph_free(&loaded[f].graph[v]);
		checkpoint_free(&loaded[f].ck);
		free(loaded[f].config);
		free(loaded[f].folder);
	}
	ort_close();
	return skipped ? 0 : fs_remove(dir, NULL);
}

int
main(void)
{
	return tests_run("graph faults", setup, teardown);
}
