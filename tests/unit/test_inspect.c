/* onnx_inspect() on hostile files. */
#include "test.h"

#include "base/fs.h"
#include "base/str.h"
#include "onnx/inspect.h"
#include "proto/onnx.pb-c.h"

static char dir[64];
static char path[96];

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "test_inspect.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/test.onnx", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove(dir, NULL);
}

/* A model whose one weight of [2, 3] floats lies in an external file. */
struct one {
	Onnx__ModelProto model;
	Onnx__GraphProto graph;
	Onnx__TensorProto tensor, *tensor_ptr;
	Onnx__StringStringEntryProto entry[3], *entry_ptr[3];
	int64_t dims[2];
	char name[64];
};

static void
one_init(struct one *o, const char *location, const char *offset, const char *length)
{
	static const char *const keys[] = {"location", "offset", "length"};
	const char *const values[] = {location, offset, length};
	size_t i;

	onnx__model_proto__init(&o->model);
	onnx__graph_proto__init(&o->graph);
	onnx__tensor_proto__init(&o->tensor);
	o->model.graph = &o->graph;
	o->graph.n_initializer = 1;
	o->graph.initializer = &o->tensor_ptr;
	o->tensor_ptr = &o->tensor;
	o->dims[0] = 2;
	o->dims[1] = 3;
	o->tensor.n_dims = 2;
	o->tensor.dims = o->dims;
	o->tensor.has_data_type = true;
	o->tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
	(void)snprintf(o->name, sizeof(o->name), "lm.layers.3.w");
	o->tensor.name = o->name;
	o->tensor.has_data_location = true;
	o->tensor.data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
	o->tensor.external_data = o->entry_ptr;
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		onnx__string_string_entry_proto__init(&o->entry[i]);
		o->entry[i].key = (char *)(uintptr_t)keys[i];
		o->entry[i].value = (char *)(uintptr_t)values[i];
		o->entry_ptr[i] = &o->entry[i];
	}
	o->tensor.n_external_data = ARRAY_LEN(keys);
}

static int
inspect(const Onnx__ModelProto *m, json_t **ret, struct err *e)
{
	size_t len = onnx__model_proto__get_packed_size(m);
	_cleanup_free_ uint8_t *data = malloc(len + 1);

	(void)onnx__model_proto__pack(m, data);
	assert_int_equal(fs_write_file(path, data, len, NULL), 0);
	return onnx_inspect(path, ret, e);
}

static void
refused(const struct one *o, const char *words)
{
	struct err e = ERR_INIT;
	json_t *doc;

	assert_int_equal(inspect(&o->model, &doc, &e), E_BAD_ONNX);
	assert_error(&e, E_BAD_ONNX, words);
	assert_error(&e, E_BAD_ONNX, path);
}

static json_t *
taken(const struct one *o)
{
	struct err e = ERR_INIT;
	json_t *doc = NULL;

	(void)inspect(&o->model, &doc, &e);
	assert_no_error(&e);
	return doc;
}

TEST(test_places)
{
	static const char *const bad[] = {"",     "/etc/passwd", "..",   "../w", "a/../w",
					  "a/..", "./w",         "a//w", "a/"};
	static const char *const good[] = {"w", "a/w", "...", "..w", ".w"};
	const json_t *data;
	struct one o;
	json_t *doc;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		one_init(&o, bad[i], "0", "24");
		refused(&o, "not a file below the model's folder");
	}
	for (i = 0; i < ARRAY_LEN(good); i++) {
		one_init(&o, good[i], "4096", "24");
		doc = taken(&o);
		data = json_array_get(json_object_get(doc, "data"), 0);
		assert_string_equal(json_string_value(json_object_get(data, "name")), good[i]);
		assert_int_equal(json_integer_value(json_object_get(data, "end")), 4096 + 24);
		json_decref(doc);
	}
}

TEST(test_ranges)
{
	struct one o;

	one_init(&o, "w", "0", "20");
	refused(&o, "needs 24 bytes, but the file gives it 20");
	one_init(&o, "w", "-1", "24");
	refused(&o, "is not a number");
	one_init(&o, "w", "0", "99999999999999999999");
	refused(&o, "is not a number");
	one_init(&o, "w", "9223372036854775807", "24");
	refused(&o, "is larger than any file");
	one_init(&o, "w", "0", "24");
	o.dims[0] = -2;
	refused(&o, "the shape of weight 'lm.layers.3.w' is impossible");
	o.dims[0] = o.dims[1] = INT64_MAX;
	refused(&o, "is impossible");
	o.dims[0] = 0;
	o.dims[1] = 3;
	refused(&o, "needs 0 bytes, but the file gives it 24");
}

TEST(test_sum_of_weights)
{
	Onnx__TensorProto *three[3];
	struct one o;

	one_init(&o, "w", "0", "0");
	o.tensor.data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
	o.dims[0] = INT64_MAX / 4;
	o.dims[1] = 1;
	three[0] = three[1] = three[2] = &o.tensor;
	o.graph.initializer = three;
	o.graph.n_initializer = 3;
	refused(&o, "longer than a file can be");
}

TEST(test_layers)
{
	static const char *const names[][2] = {
		{"lm.layers.3.mlp.up_proj.weight.T", "lm.03"},
		{"model.text.layers.12.w", "model.text.12"},
		{"vis.blocks.0.norm1.bias", "vis.00"},
		{"vis.merger.mlp.0.weight.T", "vis.merger"},
		{"lm.norm.weight", "lm.norm"},
		{"proj.weight.T", "proj"},
		{"const.7", "const"},
		{"rope.inv_freq", "rope"},
		{"layers.5.w", "05"},
		{"alone", "alone"},
		{"", ""},
		{".", ""},
		{"\xff.weight", "?"},
	};
	const json_t *row;
	struct one o;
	json_t *doc;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		one_init(&o, "w", "0", "24");
		(void)snprintf(o.name, sizeof(o.name), "%s", names[i][0]);
		doc = taken(&o);
		row = json_array_get(json_object_get(doc, "layers"), 0);
		assert_string_equal(json_string_value(json_object_get(row, "name")), names[i][1]);
		assert_int_equal(json_integer_value(json_object_get(row, "bytes")), 24);
		json_decref(doc);
	}
}

/* A weight inside a nested branch is counted, and its external file is found. */
TEST(test_branches)
{
	Onnx__AttributeProto attribute = ONNX__ATTRIBUTE_PROTO__INIT, *attribute_ptr = &attribute;
	Onnx__NodeProto node = ONNX__NODE_PROTO__INIT, *node_ptr = &node;
	Onnx__GraphProto outer = ONNX__GRAPH_PROTO__INIT;
	struct one o;

	one_init(&o, "../w", "0", "24");
	attribute.g = &o.graph;
	node.n_attribute = 1;
	node.attribute = &attribute_ptr;
	outer.n_node = 1;
	outer.node = &node_ptr;
	o.model.graph = &outer;
	refused(&o, "not a file below");
	attribute.g = NULL;
	attribute.t = &o.tensor;
	refused(&o, "not a file below");
}

TEST(test_many_kinds)
{
	enum { N = 4097 };
	static Onnx__NodeProto node[N], *ptr[N];
	static char name[N][8];
	struct one o;
	int i;

	one_init(&o, "w", "0", "24");
	for (i = 0; i < N; i++) {
		onnx__node_proto__init(&node[i]);
		(void)snprintf(name[i], sizeof(name[i]), "%d", i);
		node[i].op_type = name[i];
		ptr[i] = &node[i];
	}
	o.graph.node = ptr;
	o.graph.n_node = N;
	refused(&o, "more than 4096");
	o.graph.n_node = N - 1;
	json_decref(taken(&o));
}

int
main(void)
{
	return tests_run("inspect", setup, teardown);
}
