/* The files of a job: two graphs that share weights, the facts about them, and ONNX files as text. */
#include "test.h"

#include <fcntl.h>

#include "base/fs.h"
#include "base/str.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/stwriter.h"
#include "config.h"
#include "graph/graph.h"
#include "onnx/onnx.h"

#define ROWS 5
#define COLS 3

static char dir[64];
static char path[96];
static struct st_file *ckpt;
static struct weight weight[2];

static int
setup(void **state)
{
	static const unsigned char zeros[2 * (ROWS * COLS + ROWS)];
	struct stw *w = NULL;
	struct err e = ERR_INIT;
	char ckpt_path[96];
	int r;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "test_onnx_file.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/test.onnx", dir);
	(void)snprintf(ckpt_path, sizeof(ckpt_path), "%s/model.safetensors", dir);
	r = stw_new(ckpt_path, &w, &e);
	if (r == 0)
		r = stw_add(w, "weight", ELEM_BF16, 2, (const int64_t[]){ROWS, COLS}, &e);
	if (r == 0)
		r = stw_add(w, "bias", ELEM_BF16, 1, (const int64_t[]){ROWS}, &e);
	if (r == 0)
		r = stw_begin(w, &e);
	if (r == 0)
		r = stw_data(w, zeros, sizeof(zeros), &e);
	if (r == 0)
		r = stw_finish(w, &e);
	stw_free(&w);
	if (r == 0)
		r = st_open(ckpt_path, E_BAD_CHECKPOINT, &ckpt, &e);
	if (r < 0)
		return r;
	weight[0] = (struct weight){"proj.weight", st_find(ckpt, "weight"), ckpt};
	weight[1] = (struct weight){"proj.bias", st_find(ckpt, "bias"), ckpt};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	st_free(&ckpt);
	return fs_remove(dir, NULL);
}

/* embeddings = linear(x, proj.weight, proj.bias) */
static struct ir_graph *
graph_make(const char *name)
{
	struct dim batch = dim_symbol(SYM_BATCH), rows = dim_const(ROWS), cols = dim_const(COLS);
	struct shape x = shape_of(2, batch, cols), w = shape_of(2, rows, cols), b = shape_of(1, rows);
	struct shape y = shape_of(2, batch, rows);
	struct ir_graph *g = NULL;
	struct ir_value *in[3];
	struct ir_node *n;

	assert_int_equal(graph_new(name, &g, NULL), 0);
	in[0] = graph_value_add(g, IR_INPUT, ELEM_F32, &x, "x");
	in[1] = graph_value_add(g, IR_WEIGHT, ELEM_F32, &w, "proj.weight");
	in[2] = graph_value_add(g, IR_WEIGHT, ELEM_F32, &b, "proj.bias");
	in[1]->weight = &weight[0];
	in[2]->weight = &weight[1];
	n = graph_node_add(g, &g->block, OP_LINEAR, in, 3, NULL);
	n->out = graph_value_add(g, IR_RESULT, ELEM_F32, &y, "embeddings");
	n->out->node = n;
	g->output = n->out;
	return g;
}

static void
file_check(const struct onnx_file *f, const char *name)
{
	_cleanup_free_ char *file = fs_join(dir, f->name);
	char sha256[SHA256_HEX_LEN + 1];
	struct stat st;

	assert_string_equal(f->name, name);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, f->size);
	assert_int_equal(sha256_file(file, sha256, NULL), 0);
	assert_string_equal(f->sha256, sha256);
}

struct seen {
	uint64_t done, total;
	bool wrong;
};

static void
progress(void *userdata, uint64_t done, uint64_t total, const char *name)
{
	struct seen *s = userdata;

	s->wrong |= done <= s->done || !name;
	s->done = done;
	s->total = total;
}

static const char want_text[] =
	"graph text    ir 8, made by colconv %s\n"
	"opset 17\n"
	"meta architecture    test\n"
	"input x    FLOAT [batch, 3]\n"
	"initializer proj.weight.T    FLOAT [3, 5] location=model.onnx_data offset=0 length=60\n"
	"initializer proj.bias    FLOAT [5] location=model.onnx_data offset=4096 length=20\n"
	"embeddings/product = MatMul(x, proj.weight.T)\n"
	"embeddings = Add(embeddings/product, proj.bias)\n"
	"output embeddings    FLOAT [batch, 5]\n"
	"2 nodes\n"
	"       1 Add\n"
	"       1 MatMul\n";

TEST(test_job)
{
	_cleanup_free_ char *text = fs_join(dir, "text.onnx");
	static const char *const names[] = {"text", "image"};
	const struct onnx_graph_info *info;
	char file[32], want[sizeof(want_text) + 32];
	struct onnx_export *j = NULL;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct ir_graph *g;
	size_t i;

	assert_int_equal(onnx_export_new(dir, &(struct onnx_options){.shard_max = 0}, &j, &e), 0);
	assert_int_equal(onnx_export_meta(j, "architecture", "test", &e), 0);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		g = graph_make(names[i]);
		(void)snprintf(file, sizeof(file), "%s.onnx", names[i]);
		assert_int_equal(onnx_export_add(j, g, file, &e), 0);
		graph_free(&g);
	}
	(void)onnx_export_write(j, NULL, NULL, &e);
	assert_no_error(&e);
	assert_int_equal(onnx_export_graph_count(j), 2);
	info = onnx_export_graph(j, 1);
	assert_string_equal(info->name, "image");
	assert_string_equal(info->file, "image.onnx");
	assert_int_equal(info->nodes, 2);
	assert_int_equal(info->n_op, 2);
	assert_string_equal(info->op[1].type, "MatMul");
	assert_int_equal(info->weight_bytes, 80);
	assert_int_equal(onnx_export_file_count(j), 3);
	file_check(onnx_export_file(j, 0), "model.onnx_data");
	assert_int_equal(onnx_export_file(j, 0)->size, 8192);
	file_check(onnx_export_file(j, 1), "text.onnx");
	file_check(onnx_export_file(j, 2), "image.onnx");
	assert_int_equal(onnx_export_file(j, 2)->size, info->bytes);
	assert_int_equal(onnx_dump(text, &b, &e), 0);
	(void)snprintf(want, sizeof(want), want_text, PACKAGE_VERSION);
	assert_string_equal(b.data, want);
	buf_release(&b);
	onnx_export_free(&j);
}

static const char want_embedded[] = "graph text    ir 8, made by colconv %s\n"
				    "opset 17\n"
				    "input x    FLOAT [batch, 3]\n"
				    "initializer proj.weight.T    FLOAT [3, 5]\n"
				    "initializer proj.bias    FLOAT [5] = 0 0 0 0 0\n"
				    "embeddings/product = MatMul(x, proj.weight.T)\n"
				    "embeddings = Add(embeddings/product, proj.bias)\n"
				    "output embeddings    FLOAT [batch, 5]\n"
				    "2 nodes\n"
				    "       1 Add\n"
				    "       1 MatMul\n";

/* Each graph has the weights inside. */
TEST(test_embedded)
{
	_cleanup_free_ char *text = fs_join(dir, "text.onnx");
	static const char *const names[] = {"text", "image"};
	struct seen seen = {.done = 0};
	char file[32], want[sizeof(want_embedded) + 32];
	struct onnx_export *j = NULL;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	struct ir_graph *g;
	size_t i;

	assert_int_equal(onnx_export_new(dir, &(struct onnx_options){.embed = true}, &j, &e), 0);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		g = graph_make(names[i]);
		(void)snprintf(file, sizeof(file), "%s.onnx", names[i]);
		assert_int_equal(onnx_export_add(j, g, file, &e), 0);
		graph_free(&g);
	}
	(void)onnx_export_write(j, progress, &seen, &e);
	assert_no_error(&e);
	assert_int_equal(onnx_export_file_count(j), 2);
	file_check(onnx_export_file(j, 0), "text.onnx");
	file_check(onnx_export_file(j, 1), "image.onnx");
	assert_false(seen.wrong);
	assert_int_equal(seen.done, seen.total);
	assert_int_equal(seen.done, onnx_export_file(j, 0)->size + onnx_export_file(j, 1)->size);
	assert_int_equal(onnx_dump(text, &b, &e), 0);
	(void)snprintf(want, sizeof(want), want_embedded, PACKAGE_VERSION);
	assert_string_equal(b.data, want);
	buf_release(&b);
	onnx_export_free(&j);
}

/* The error that a protobuf is too large comes before the weight is read. */
TEST(test_embedded_too_large)
{
	struct st_tensor huge = {.name = "huge", .dtype = ELEM_BF16, .rank = 2, .count = INT64_C(1) << 29};
	struct weight w = {"huge", &huge, ckpt};
	struct shape shape = shape_of(2, dim_const(1 << 20), dim_const(1 << 9));
	struct shape x = shape_of(2, dim_symbol(SYM_BATCH), dim_const(1 << 9));
	struct shape bias = shape_of(1, dim_const(1 << 20));
	struct st_tensor row = {.name = "row", .dtype = ELEM_BF16, .rank = 1, .count = 1 << 20};
	struct weight v = {"row", &row, ckpt};
	struct ir_graph *g = graph_make("text");
	struct ir_node *n = g->block.node[0];
	struct onnx_export *j = NULL;
	struct err e = ERR_INIT;

	n->in[0]->shape = x;
	n->in[1]->shape = shape;
	n->in[1]->weight = &w;
	n->in[2]->shape = bias;
	n->in[2]->weight = &v;
	assert_int_equal(onnx_export_new(dir, &(struct onnx_options){.embed = true}, &j, &e), 0);
	assert_int_equal(onnx_export_add(j, g, "text.onnx", &e), E_TOO_LARGE);
	assert_error(&e, E_TOO_LARGE, "the graph 'text' with its weights inside would be a file of 2.15 GB");
	onnx_export_free(&j);
	graph_free(&g);
}

TEST(test_job_without_folder)
{
	struct ir_graph *g = graph_make("text");
	struct onnx_export *j = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(onnx_export_new("no-such-folder", &(struct onnx_options){.shard_max = 0}, &j, &e),
			 0);
	assert_int_equal(onnx_export_add(j, g, "text.onnx", &e), 0);
	assert_int_equal(onnx_export_write(j, NULL, NULL, &e), E_IO);
	assert_error(&e, E_IO, "cannot create 'no-such-folder/model.onnx_data'");
	assert_int_equal(onnx_export_file_count(j), 0);
	onnx_export_free(&j);
	graph_free(&g);
}

/* ---- files from outside ---- */

/* Without fsync: there are many. */
static void
file_put(const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, data, len, path, NULL), 0);
	(void)close(fd);
}

static void
dump_refused(const void *data, size_t len, const char *words)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	file_put(data, len);
	assert_int_equal(onnx_dump(path, &b, &e), E_BAD_ONNX);
	assert_error(&e, E_BAD_ONNX, words);
	buf_release(&b);
}

/* Puts the bytes in a field of type 2 with a length of five bytes. */
static void
wrap(struct buf *b, unsigned int number)
{
	size_t len = b->len;
	unsigned char head[6] = {(unsigned char)(number << 3 | 2)};
	int i;

	for (i = 1; i < 6; i++)
		head[i] = (unsigned char)((len >> 7 * (i - 1) & 0x7f) | (i < 5 ? 0x80 : 0));
	buf_add(b, "      ", sizeof(head));
	memmove(b->data + sizeof(head), b->data, len);
	memcpy(b->data, head, sizeof(head));
}

/* A model whose branches nest so deep. */
static void
nested_make(struct buf *b, int depth)
{
	buf_clear(b);
	for (; depth; depth--) {
		wrap(b, 6);
		wrap(b, 5);
		wrap(b, 1);
	}
	wrap(b, 7);
}

TEST(test_nesting)
{
	struct buf b = BUF_INIT, text = BUF_INIT;
	struct err e = ERR_INIT;

	nested_make(&b, 16);
	file_put(b.data, b.len);
	assert_int_equal(onnx_dump(path, &text, &e), 0);
	nested_make(&b, 17);
	dump_refused(b.data, b.len, "its branches are nested too deep");
	nested_make(&b, 3000);
	dump_refused(b.data, b.len, "its branches are nested too deep");
	buf_release(&b);
	buf_release(&text);
}

TEST(test_damaged_files)
{
	static const unsigned char many[] = {0x0a, 0};
	_cleanup_free_ char *data = NULL;
	struct buf b = BUF_INIT;
	struct ir_graph *g = graph_make("text");
	struct onnx_export *j = NULL;
	struct err e = ERR_INIT;
	size_t len, i;

	assert_int_equal(onnx_export_new(dir, &(struct onnx_options){.shard_max = 0}, &j, &e), 0);
	assert_int_equal(onnx_export_add(j, g, "good.onnx", &e), 0);
	assert_int_equal(onnx_export_write(j, NULL, NULL, &e), 0);
	(void)snprintf(path, sizeof(path), "%s/good.onnx", dir);
	assert_int_equal(fs_read(path, 1 << 20, E_IO, &data, &len, &e), 0);
	(void)snprintf(path, sizeof(path), "%s/test.onnx", dir);
	dump_refused("", 0, "is not an ONNX file");
	dump_refused("garbage", 7, "is not an ONNX file");
	dump_refused("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11, "is not an ONNX file");
	/* A truncated file is refused, or the cut was after its end; a flipped byte never does harm. */
	for (i = 0; i < len; i++) {
		file_put(data, i);
		(void)onnx_dump(path, &b, &e);
		buf_clear(&b);
		err_clear(&e);
		data[i] ^= 0x55;
		file_put(data, len);
		(void)onnx_dump(path, &b, &e);
		data[i] ^= 0x55;
		buf_clear(&b);
		err_clear(&e);
	}
	/* Two bytes a node: more memory than the budget of a file this long. */
	buf_clear(&b);
	for (i = 0; i < 200000; i++)
		buf_add(&b, many, sizeof(many));
	wrap(&b, 7);
	dump_refused(b.data, b.len, "is not an ONNX file");
	buf_release(&b);
	onnx_export_free(&j);
	graph_free(&g);
}

TEST(test_text_is_harmless)
{
	struct buf b = BUF_INIT, text = BUF_INIT;
	struct err e = ERR_INIT;

	buf_puts(&b, "a\x1b[2Jb");
	wrap(&b, 2);
	wrap(&b, 7);
	file_put(b.data, b.len);
	assert_int_equal(onnx_dump(path, &text, &e), 0);
	assert_non_null(strstr(text.data, "graph a?[2Jb"));
	buf_release(&b);
	buf_release(&text);
}

int
main(void)
{
	return tests_run("onnx_file", setup, teardown);
}
