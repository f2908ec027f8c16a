/*
 * Real runs by ONNX Runtime, of graphs made here; skipped where its library is not found.
 * The library is $COLCONV_ORT_LIBRARY, or runtime/libonnxruntime.so.1 of the folder that the
 * tests run in, or the system's.
 */
#include "runtime.h"

#include "base/buf.h"
#include "case_file.h"
#include "parity/names.h"
#include "parity/run.h"

enum { ONNX_FLOAT = 1, ONNX_INT64 = 7, ONNX_DOUBLE = 11, ATTR_INT = 2, ATTR_INTS = 7 };

/* Protobuf written by hand: a key, then a varint, or a length and that many bytes. */
static void
pb_varint(struct buf *b, uint64_t v)
{
	unsigned char c;

	do {
		c = (v & 0x7f) | (v > 0x7f ? 0x80 : 0);
		buf_add(b, &c, 1);
		v >>= 7;
	} while (v);
}

static void
pb_int(struct buf *b, unsigned field, uint64_t v)
{
	pb_varint(b, field << 3);
	pb_varint(b, v);
}

static void
pb_str(struct buf *b, unsigned field, const char *s)
{
	pb_varint(b, field << 3 | 2);
	pb_varint(b, strlen(s));
	buf_puts(b, s);
}

/* Frees the message. */
static void
pb_msg(struct buf *b, unsigned field, struct buf *msg)
{
	pb_varint(b, field << 3 | 2);
	pb_varint(b, msg->len);
	buf_add(b, msg->data, msg->len);
	buf_release(msg);
}

/* A ValueInfoProto with at most three symbolic dims. The last dim may be a number. */
static void
graph_value(struct buf *graph, unsigned field, const char *name, int type, const char *const *dims, int last)
{
	struct buf value = BUF_INIT, tp = BUF_INIT, tensor = BUF_INIT, shape = BUF_INIT;

	for (; *dims; dims++) {
		struct buf dim = BUF_INIT;

		pb_str(&dim, 2, *dims);
		pb_msg(&shape, 1, &dim);
	}
	if (last) {
		struct buf dim = BUF_INIT;

		pb_int(&dim, 1, (uint64_t)last);
		pb_msg(&shape, 1, &dim);
	}
	pb_int(&tensor, 1, (uint64_t)type);
	pb_msg(&tensor, 2, &shape);
	pb_msg(&tp, 1, &tensor);
	pb_str(&value, 1, name);
	pb_msg(&value, 2, &tp);
	pb_msg(graph, field, &value);
}

/* NodeProto; `attr` may be NULL. */
static void
graph_node(struct buf *graph, const char *op, const char *in1, const char *in2, const char *out,
	   const char *attr, int attr_type, uint64_t value)
{
	struct buf node = BUF_INIT, a = BUF_INIT;

	pb_str(&node, 1, in1);
	if (in2)
		pb_str(&node, 1, in2);
	pb_str(&node, 2, out);
	pb_str(&node, 4, op);
	if (attr) {
		pb_str(&a, 1, attr);
		pb_int(&a, attr_type == ATTR_INTS ? 8 : 3, value);
		pb_int(&a, 20, (uint64_t)attr_type);
		pb_msg(&node, 5, &a);
	}
	pb_msg(graph, 1, &node);
}

static char *
model_write(const char *name, struct buf *graph)
{
	struct buf model = BUF_INIT, opset = BUF_INIT;
	char *path = fs_join(dir, name);
	struct err e = ERR_INIT;

	assert_non_null(path);
	pb_str(graph, 2, "g");
	pb_int(&opset, 2, 11);
	pb_int(&model, 1, 6); /* IR version */
	pb_msg(&model, 7, graph);
	pb_msg(&model, 8, &opset);
	assert_false(model.failed);
	(void)fs_write_file(path, model.data, model.len, &e);
	assert_no_error(&e);
	buf_release(&model);
	return path;
}

/*
 * Writes a graph: embeddings [batch, tokens, 1] = input_ids * attention_mask, plus the sum of the pixels if their
 * last dim is given.
 */
static char *
graph_write(const char *name, int pixel_dim, int output_type)
{
	static const char *const ids[] = {"batch", "tokens", NULL}, *const px[] = {"images", "patches", NULL};
	struct buf g = BUF_INIT;

	graph_node(&g, "Mul", "input_ids", "attention_mask", "masked", NULL, 0, 0);
	graph_node(&g, "Cast", "masked", NULL, "float", "to", ATTR_INT, (uint64_t)output_type);
	if (pixel_dim) {
		graph_node(&g, "Unsqueeze", "float", NULL, "rows", "axes", ATTR_INTS, 2);
		graph_node(&g, "ReduceSum", "pixel_values", NULL, "sum", "keepdims", ATTR_INT, 0);
		graph_node(&g, "Add", "rows", "sum", "embeddings", NULL, 0, 0);
		graph_value(&g, 11, "pixel_values", ONNX_FLOAT, px, pixel_dim);
		graph_value(&g, 11, "image_grid_thw", ONNX_INT64, px, 3);
	} else {
		graph_node(&g, "Unsqueeze", "float", NULL, "embeddings", "axes", ATTR_INTS, 2);
	}
	graph_value(&g, 11, "input_ids", ONNX_INT64, ids, 0);
	graph_value(&g, 11, "attention_mask", ONNX_INT64, ids, 0);
	graph_value(&g, 12, "embeddings", output_type, ids, 1);
	return model_write(name, &g);
}

static const int64_t mask[] = {1, 1, 0, 1, 1, 1}, token_ids[] = {2, 3, 4, 5, 6, 7};
static const float right[] = {2, 3, 0, 5, 6, 7}, wrong[] = {2, 3, 0, 5, 6, 7.5f};
static const float pixels[] = {1, 2, 3};

#define IDS CASE_TENSOR("in.input_ids", "I64", "[2, 3]", token_ids)
#define MASK CASE_TENSOR("in.attention_mask", "I64", "[2, 3]", mask)
#define WANT(values) CASE_TENSOR("out.embeddings", "F32", "[2, 3, 1]", values)

/* Writes a case of these tensors and runs it. The result is in r->why. */
static int
run_once(const char *graph, enum variant v, enum pixels p, const struct case_tensor *t, size_t count,
	 struct run *r, struct err *e)
{
	static const struct limits limits = LIMITS_FP32;
	_cleanup_free_ char *path = fs_join(dir, "case-x.safetensors");
	_cleanup_(cases_release) struct cases l = CASES_INIT;
	_cleanup_(ort_session_free) struct ort_session *s = NULL;
	int k;

	assert_non_null(path);
	case_file_write(path, t, count);
	k = cases_add_file(&l, path, "embeddings", e);
	if (k == 0)
		k = ort_session_new(graph, /*threads=*/1, &s, e);
	if (k < 0)
		return k;
	*r = (struct run){.c = &l.items[0], .variant = v, .pixels = p};
	k = run_case(r, s, &limits, e);
	run_release(r);
	return k;
}

static void
need_runtime(void)
{
	if (!have_runtime)
		skip();
}

TEST(test_text)
{
	const struct case_tensor good[] = {IDS, MASK, WANT(right)}, bad[] = {IDS, MASK, WANT(wrong)};
	_cleanup_free_ char *graph = NULL;
	struct err e = ERR_INIT;
	struct run r;

	need_runtime();
	graph = graph_write("text.onnx", /*pixel_dim=*/0, ONNX_FLOAT);
	(void)run_once(graph, VARIANT_TEXT, PIXELS_CASE, good, 3, &r, &e);
	assert_no_error(&e);
	assert_no_error(&r.why);
	assert_int_equal(r.cmp.tokens, 5);
	assert_true(r.cmp.max_abs == 0 && r.cmp.min_cosine == 1);
	(void)run_once(graph, VARIANT_TEXT, PIXELS_CASE, bad, 3, &r, &e);
	assert_no_error(&e);
	assert_error(&r.why, E_PARITY, "max abs 0.5 is above 0.0001");
}

/* The unified graph runs with the pixels of the case, with blank pixels and without pixels. */
TEST(test_unified)
{
	static const float shifted[] = {8, 9, 6, 11, 12, 13};
	static const int64_t grid[] = {1, 2, 2};
	const struct case_tensor text[] = {IDS, MASK, WANT(right)};
	const struct case_tensor image[] = {
		IDS, MASK, CASE_TENSOR("in.pixel_values", "F32", "[1, 1, 3]", pixels),
		CASE_TENSOR("in.image_grid_thw", "I64", "[1, 1, 3]", grid), WANT(shifted)};
	_cleanup_free_ char *graph = NULL;
	struct err e = ERR_INIT;
	struct run r;

	need_runtime();
	graph = graph_write("unified.onnx", /*pixel_dim=*/3, ONNX_FLOAT);
	(void)run_once(graph, VARIANT_UNIFIED, PIXELS_CASE, image, 5, &r, &e);
	assert_no_error(&r.why);
	(void)run_once(graph, VARIANT_UNIFIED, PIXELS_ZEROS, text, 3, &r, &e);
	assert_no_error(&r.why);
	(void)run_once(graph, VARIANT_UNIFIED, PIXELS_NONE, text, 3, &r, &e);
	assert_no_error(&r.why);
	assert_no_error(&e);
	assert_int_equal(run_once(graph, VARIANT_TEXT, PIXELS_CASE, text, 3, &r, &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "has no 'in.pixel_values', an input of the text graph");
	err_clear(&e);
	free(graph);
	graph = graph_write("huge.onnx", /*pixel_dim=*/1 << 30, ONNX_FLOAT);
	assert_int_equal(run_once(graph, VARIANT_UNIFIED, PIXELS_ZEROS, text, 3, &r, &e), E_BAD_ONNX);
	assert_error(&e, E_BAD_ONNX, "input 'pixel_values' of the unified graph is too large");
}

/* A wrong result fails the case, and the program continues. */
TEST(test_graph_at_fault)
{
	const struct case_tensor wide[] = {
		IDS, MASK, {"out.embeddings", "F32", "[2, 3, 2]", (float[12]){0}, 48}};
	const struct case_tensor shape[] = {CASE_TENSOR("in.input_ids", "I64", "[3, 2]", token_ids), MASK,
					    WANT(right)};
	_cleanup_free_ char *graph = NULL;
	struct err e = ERR_INIT;
	struct run r;

	need_runtime();
	graph = graph_write("text.onnx", /*pixel_dim=*/0, ONNX_FLOAT);
	(void)run_once(graph, VARIANT_TEXT, PIXELS_CASE, wide, 3, &r, &e);
	assert_no_error(&e);
	assert_error(&r.why, E_PARITY, "the output has the shape [2, 3, 1], not [2, 3, 2]");
	(void)run_once(graph, VARIANT_TEXT, PIXELS_CASE, shape, 3, &r, &e);
	assert_no_error(&e);
	assert_error(&r.why, E_BAD_ONNX, "text.onnx");
	free(graph);
	graph = graph_write("double.onnx", /*pixel_dim=*/0, ONNX_DOUBLE);
	(void)run_once(graph, VARIANT_TEXT, PIXELS_CASE, wide, 3, &r, &e);
	assert_no_error(&e);
	assert_error(&r.why, E_BAD_ONNX, "output 'embeddings' is neither float32, float16");
}

/* embeddings as above, and beside them `rows` [batch, tokens, 1], the same again, and `ids` = input_ids * attention_mask. */
static char *
graph_write_more(void)
{
	static const char *const dims[] = {"batch", "tokens", NULL};
	struct buf g = BUF_INIT;

	graph_node(&g, "Mul", "input_ids", "attention_mask", "ids", NULL, 0, 0);
	graph_node(&g, "Cast", "ids", NULL, "float", "to", ATTR_INT, ONNX_FLOAT);
	graph_node(&g, "Unsqueeze", "float", NULL, "embeddings", "axes", ATTR_INTS, 2);
	graph_node(&g, "Unsqueeze", "float", NULL, "rows", "axes", ATTR_INTS, 2);
	graph_value(&g, 11, "input_ids", ONNX_INT64, dims, 0);
	graph_value(&g, 11, "attention_mask", ONNX_INT64, dims, 0);
	graph_value(&g, 12, "embeddings", ONNX_FLOAT, dims, 1);
	graph_value(&g, 12, "rows", ONNX_FLOAT, dims, 1);
	graph_value(&g, 12, "ids", ONNX_INT64, dims, 0);
	return model_write("more.onnx", &g);
}

/* Outputs beside the embeddings are compared when the case has them: vectors by the limits, whole numbers exactly. */
TEST(test_outputs_beside)
{
	static const int64_t ids[] = {2, 3, 0, 5, 6, 7}, other[] = {2, 3, 0, 5, 6, 8};
	static const float two[] = {1, 1};
#define ROWS(values) CASE_TENSOR("out.rows", "F32", "[2, 3, 1]", values)
#define KEPT(values) CASE_TENSOR("out.ids", "I64", "[2, 3]", values)
	static const struct {
		struct case_tensor t[5];
		size_t n;
		const char *why;
	} rows[] = {
		{{IDS, MASK, WANT(right)}, 3, NULL},
		{{IDS, MASK, WANT(right), ROWS(right), KEPT(ids)}, 5, NULL},
		{{IDS, MASK, WANT(wrong), ROWS(right), KEPT(ids)}, 5, "max abs 0.5 is above 0.0001"},
		{{IDS, MASK, WANT(right), ROWS(wrong), KEPT(ids)},
		 5,
		 "the output 'rows': max abs 0.5 is above 0.0001"},
		{{IDS, MASK, WANT(right), ROWS(right), KEPT(other)},
		 5,
		 "1 of the 6 elements of the output 'ids' differ"},
		{{IDS, MASK, WANT(right), CASE_TENSOR("out.rows", "F32", "[2, 1]", two)},
		 4,
		 "the output 'rows' has another shape or type than the case's 'out.rows'"},
		{{IDS, MASK, WANT(right), CASE_TENSOR("out.ids", "F32", "[2, 3]", right)},
		 4,
		 "the output 'ids' has another shape or type than the case's 'out.ids'"},
	};
	_cleanup_free_ char *graph = NULL;
	struct err e = ERR_INIT;
	struct run r;
	size_t i;

	need_runtime();
	graph = graph_write_more();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		(void)run_once(graph, VARIANT_TEXT, PIXELS_CASE, rows[i].t, rows[i].n, &r, &e);
		assert_no_error(&e);
		if (rows[i].why)
			assert_error(&r.why, E_PARITY, rows[i].why);
		else
			assert_no_error(&r.why);
	}
}

/* --result compares one output and no other. */
TEST(test_only_output)
{
	_cleanup_(ort_session_free) struct ort_session *s = NULL;
	_cleanup_free_ char *graph = NULL;
	struct err e = ERR_INIT;

	need_runtime();
	graph = graph_write_more();
	(void)ort_session_new(graph, 1, &s, &e);
	assert_no_error(&e);
	assert_int_equal(names_apply(&(struct names){.output = NULL}, s, &e), 0);
	assert_int_equal(ort_output_count(s), 3);
	assert_int_equal(names_apply(&(struct names){.output = "rows"}, s, &e), 0);
	assert_int_equal(ort_output_count(s), 1);
	assert_string_equal(ort_output_name(s, 0), "rows");
}

TEST(test_case_at_fault)
{
	static const float ids[6] = {1};
	const struct case_tensor type[] = {CASE_TENSOR("in.input_ids", "F32", "[2, 3]", ids), MASK,
					   WANT(right)};
	const struct case_tensor missing[] = {MASK, WANT(right)};
	_cleanup_free_ char *graph = NULL;
	struct err e = ERR_INIT;
	struct run r;

	need_runtime();
	graph = graph_write("text.onnx", /*pixel_dim=*/0, ONNX_FLOAT);
	assert_int_equal(run_once(graph, VARIANT_TEXT, PIXELS_CASE, type, 3, &r, &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "'in.input_ids' must be I64, not F32");
	err_clear(&e);
	assert_int_equal(run_once(graph, VARIANT_TEXT, PIXELS_CASE, missing, 2, &r, &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "has no 'in.input_ids', an input of the text graph");
}

TEST(test_bad_model)
{
	_cleanup_(ort_session_free) struct ort_session *s = NULL;
	_cleanup_free_ char *junk = NULL, *none = NULL, *op = NULL;
	struct buf g = BUF_INIT;
	struct err e = ERR_INIT;

	need_runtime();
	junk = fs_join(dir, "junk.onnx");
	none = fs_join(dir, "none.onnx");
	(void)fs_write_file(junk, "junk", 4, &e);
	assert_int_equal(ort_session_new(junk, 1, &s, &e), E_BAD_ONNX);
	assert_error(&e, E_BAD_ONNX, "junk.onnx");
	err_clear(&e);
	assert_int_equal(ort_session_new(none, 1, &s, &e), E_BAD_ONNX);
	assert_error(&e, E_BAD_ONNX, "none.onnx");
	err_clear(&e);
	graph_node(&g, "NoSuchOp", "input_ids", NULL, "embeddings", NULL, 0, 0);
	graph_value(&g, 11, "input_ids", ONNX_FLOAT, (const char *const[]){"batch", NULL}, 0);
	graph_value(&g, 12, "embeddings", ONNX_FLOAT, (const char *const[]){"batch", NULL}, 0);
	op = model_write("op.onnx", &g);
	assert_int_equal(ort_session_new(op, 1, &s, &e), E_BAD_ONNX);
	assert_error(&e, E_BAD_ONNX, "NoSuchOp");
	assert_null(s);
}

TEST(test_no_runtime)
{
	_cleanup_free_ char *junk = fs_join(dir, "junk.so");
	struct err e = ERR_INIT;

	assert_int_equal(ort_open("/nonexistent/libonnxruntime.so", &e), E_NO_RUNTIME);
	assert_error(&e, E_NO_RUNTIME, "tried /nonexistent/libonnxruntime.so: cannot open");
	err_clear(&e);
	assert_int_equal(ort_open("libc.so.6", &e), E_NO_RUNTIME);
	assert_error(&e, E_NO_RUNTIME, "libc.so.6: not ONNX Runtime");
	err_clear(&e);
	(void)fs_write_file(junk, "junk", 4, /*e=*/NULL);
	(void)setenv("COLCONV_ORT_LIBRARY", junk, 1);
	assert_int_equal(ort_open(NULL, &e), E_NO_RUNTIME);
	assert_error(&e, E_NO_RUNTIME, "junk.so: file too short");
	err_clear(&e);
	(void)unsetenv("COLCONV_ORT_LIBRARY");
	if (have_runtime || ort_open(NULL, &e) == 0)
		return;
	assert_error(&e, E_NO_RUNTIME, "/runtime/libonnxruntime.so.1");
	assert_error(&e, E_NO_RUNTIME, "/../lib/colconv/libonnxruntime.so.1");
}

int
main(void)
{
	return tests_run("ort", runtime_setup, runtime_teardown);
}
