#include "inspect.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/str.h"
#include "read.h"
#include "runtime.h"
#include "tally.h"

#define OPS_MAX 4096 /* different op types; a linear search is enough for these */

struct inspect {
	struct tally ops;
	json_t *layers; /* by name: {"count", "bytes"} */
	json_t *data;   /* by name: {"count", "bytes", "end"} */
};

/* Makes a string of the file fit for JSON; it may be absent. */
static json_t *
text_json(const char *s)
{
	_cleanup_free_ char *copy = strdup(s ? s : "");

	if (copy)
		str_clean(copy);
	return copy ? json_string(copy) : NULL;
}

/* Returns the row with that name; adds it when missing. NULL when memory ran out. */
static json_t *
row_get(json_t *rows, const char *name)
{
	_cleanup_free_ char *key = strdup(name);
	json_t *row;

	if (!key)
		return NULL;
	str_clean(key);
	row = json_object_get(rows, key);
	if (!row &&
	    json_object_set_new(rows, key,
				json_pack("{s:s, s:i, s:i}", "name", key, "count", 0, "bytes", 0)) == 0)
		row = json_object_get(rows, key);
	return row;
}

static int
row_add(json_t *row, uint64_t bytes, struct err *e)
{
	json_t *count = json_object_get(row, "count"), *sum = json_object_get(row, "bytes");

	if (!row)
		return err_no_memory(e);
	if (bytes > (uint64_t)(INT64_MAX - json_integer_value(sum)))
		return err_set(e, E_BAD_ONNX, "its weights are longer than a file can be");
	(void)json_integer_set(count, json_integer_value(count) + 1);
	(void)json_integer_set(sum, json_integer_value(sum) + (json_int_t)bytes);
	return 0;
}

/* Lists the rows in the order of their first use. */
static json_t *
rows_list(const json_t *rows)
{
	json_t *list = json_array(), *row;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)rows, key, row)
		(void)json_array_append(list, row);
	return list;
}

static bool
is_number(const char *s, size_t len)
{
	return len && len <= 6 && strspn(s, "0123456789") >= len;
}

static bool
is_list(const char *s, size_t len)
{
	static const char *const words[] = {"layers", "blocks", "layer", "block", "h"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == len && memcmp(words[i], s, len) == 0)
			return true;
	return false;
}

/*
 * The part of a model that a weight belongs to: "lm.layers.3.mlp.up_proj.weight" belongs to "lm.03". A
 * weight outside the layers belongs to its first two words: "lm.norm.weight" to "lm.norm", "proj.bias" to
 * "proj".
 */
static void
layer_name(const char *weight, char *ret, size_t len)
{
	const char *p = weight, *dot, *word = weight;
	size_t n;

	while ((dot = strchr(p, '.'))) { /* p: a word; word: the one before it */
		n = (size_t)(dot - p);
		if (p > weight && is_number(p, n) && is_list(word, (size_t)(p - 1 - word))) {
			(void)snprintf(ret, len, "%.*s%02ld", (int)MIN(word - weight, 200), weight,
				       strtol(p, NULL, 10));
			return;
		}
		word = p;
		p = dot + 1;
	}
	n = strcspn(weight, ".");
	p = weight[n] ? weight + n + 1 : "";
	dot = strchr(p, '.');
	if (dot && !is_number(p, (size_t)(dot - p)) && !str_starts(p, "weight.") && !str_starts(p, "bias."))
		n = (size_t)(dot - weight);
	(void)snprintf(ret, len, "%.*s", (int)MIN(n, 200), weight);
}

/* ---- weights ---- */

/* Bytes of an element; 0: an unknown type, or one that is not made of whole bytes. */
static unsigned int
type_size(int32_t type)
{
	switch (type) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
	case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
		return 1;
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
	case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
		return 2;
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
		return 4;
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
	case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
	case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64:
		return 8;
	case ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128:
		return 16;
	default:
		return 0;
	}
}

/* False when the shape is impossible. */
static bool
tensor_bytes(const Onnx__TensorProto *t, uint64_t *ret)
{
	size_t i;

	*ret = type_size(t->data_type);
	for (i = 0; i < t->n_dims; i++)
		if (t->dims[i] < 0 || __builtin_mul_overflow(*ret, (uint64_t)t->dims[i], ret))
			return false;
	return *ret <= INT64_MAX;
}

/* Accepts "weights/a.bin", but nothing that leads out of the model's folder. */
static bool
location_ok(const char *s)
{
	const char *p = s;
	size_t n;

	if (*s == '\0' || *s == '/')
		return false;
	for (;;) {
		n = strcspn(p, "/");
		if (n == 0 || (n <= 2 && strspn(p, ".") >= n))
			return false;
		if (p[n] == '\0')
			return true;
		p += n + 1;
	}
}

struct place {
	const char *location;
	uint64_t offset;
	uint64_t len;
};

static const char *
tensor_name(const Onnx__TensorProto *t)
{
	return t->name ? t->name : "";
}

static int
place_read(const Onnx__TensorProto *t, struct place *ret, struct err *e)
{
	const char *key, *value;
	size_t i;
	int r = 0;

	for (i = 0; i < t->n_external_data && r == 0; i++) {
		key = t->external_data[i]->key ? t->external_data[i]->key : "";
		value = t->external_data[i]->value ? t->external_data[i]->value : "";
		if (str_eq(key, "location"))
			ret->location = value;
		else if (str_eq(key, "offset"))
			r = str_to_u64(value, 0, INT64_MAX, "the offset", &ret->offset, NULL);
		else if (str_eq(key, "length"))
			r = str_to_u64(value, 0, INT64_MAX, "the length", &ret->len, NULL);
	}
	return r == 0 ? 0
		      : err_set(e, E_BAD_ONNX, "the offset or the length of weight '%s' is not a number",
				tensor_name(t));
}

static int
external_add(struct inspect *x, const Onnx__TensorProto *t, uint64_t bytes, struct err *e)
{
	struct place p = {.location = "", .len = bytes};
	json_t *row, *end;
	int r;

	r = place_read(t, &p, e);
	if (r < 0)
		return r;
	if (!location_ok(p.location))
		return err_set(e, E_BAD_ONNX,
			       "weight '%s' is stored in '%s', which is not a file below the model's folder",
			       tensor_name(t), p.location);
	if (type_size(t->data_type) && p.len != bytes)
		return err_set(e, E_BAD_ONNX,
			       "weight '%s' needs %" PRIu64 " bytes, but the file gives it %" PRIu64,
			       tensor_name(t), bytes, p.len);
	if (p.len > INT64_MAX - p.offset)
		return err_set(e, E_BAD_ONNX, "the offset of weight '%s' is larger than any file",
			       tensor_name(t));
	row = row_get(x->data, p.location);
	r = row_add(row, p.len, e);
	if (r < 0)
		return r;
	end = json_object_get(row, "end");
	if (!end && json_object_set_new(row, "end", json_integer(0)) == 0)
		end = json_object_get(row, "end");
	(void)json_integer_set(end, MAX(json_integer_value(end), (json_int_t)(p.offset + p.len)));
	return 0;
}

static int
tensor_add(struct inspect *x, const Onnx__TensorProto *t, struct err *e)
{
	char layer[256];
	uint64_t bytes;
	int r;

	if (!tensor_bytes(t, &bytes))
		return err_set(e, E_BAD_ONNX, "the shape of weight '%s' is impossible", tensor_name(t));
	layer_name(tensor_name(t), layer, sizeof(layer));
	r = row_add(row_get(x->layers, layer), bytes, e);
	if (r == 0 && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
		r = external_add(x, t, bytes, e);
	return r;
}

/* ---- graphs ---- */

static int graph_add(struct inspect *x, const Onnx__GraphProto *g, struct err *e);

static int
node_add(struct inspect *x, const Onnx__NodeProto *n, struct err *e)
{
	const Onnx__AttributeProto *a;
	size_t i;
	int r = 0;

	if (!tally_add(&x->ops, n->op_type ? n->op_type : ""))
		return err_no_memory(e);
	if (x->ops.n > OPS_MAX)
		return err_set(e, E_BAD_ONNX, "it has more than %d different op types", OPS_MAX);
	for (i = 0; i < n->n_attribute && r == 0; i++) {
		a = n->attribute[i];
		if (a->t)
			r = tensor_add(x, a->t, e);
		if (r == 0 && a->g)
			r = graph_add(x, a->g, e);
	}
	return r;
}

static int
graph_add(struct inspect *x, const Onnx__GraphProto *g, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; i < g->n_initializer && r == 0; i++)
		r = tensor_add(x, g->initializer[i], e);
	for (i = 0; i < g->n_node && r == 0; i++)
		r = node_add(x, g->node[i], e);
	return r;
}

static json_t *
shape_json(const Onnx__TensorShapeProto *s)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; s && i < s->n_dim; i++) {
		if (s->dim[i]->has_dim_value)
			(void)json_array_append_new(list, json_integer(s->dim[i]->dim_value));
		else
			(void)json_array_append_new(
				list, s->dim[i]->dim_param ? text_json(s->dim[i]->dim_param) : json_null());
	}
	return list;
}

static json_t *
values_json(size_t n, Onnx__ValueInfoProto **v)
{
	const Onnx__TypeProto__Tensor *t;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < n; i++) {
		t = v[i]->type ? v[i]->type->tensor_type : NULL;
		(void)json_array_append_new(list,
					    json_pack("{s:o, s:s, s:o}", "name", text_json(v[i]->name),
						      "type", t ? onnx_type_name(t->elem_type) : "unknown",
						      "shape", shape_json(t ? t->shape : NULL)));
	}
	return list;
}

static json_t *
ops_json(struct tally *t)
{
	json_t *list = json_array();
	size_t i;

	tally_sort(t);
	for (i = 0; i < t->n; i++)
		(void)json_array_append_new(list, json_pack("{s:o, s:I}", "type", text_json(t->row[i].type),
							    "count", (json_int_t)t->row[i].n));
	return list;
}

static json_t *
opsets_json(const Onnx__ModelProto *m)
{
	const char *domain;
	json_t *all = json_object();
	size_t i;

	for (i = 0; i < m->n_opset_import; i++) {
		domain = m->opset_import[i]->domain;
		if (!domain || *domain == '\0')
			domain = "ai.onnx";
		if (str_is_utf8(domain, strlen(domain)))
			(void)json_object_set_new(all, domain, json_integer(m->opset_import[i]->version));
	}
	return all;
}

static json_t *
meta_json(const Onnx__ModelProto *m)
{
	json_t *all = json_object();
	const char *key;
	size_t i;

	for (i = 0; i < m->n_metadata_props; i++) {
		key = m->metadata_props[i]->key;
		if (key && str_is_utf8(key, strlen(key)))
			(void)json_object_set_new(all, key, text_json(m->metadata_props[i]->value));
	}
	return all;
}

/* "1.22", "1.25.1"; null: not known. */
static json_t *
runtime_json(const Onnx__ModelProto *m)
{
	const int least = runtime_least(m, m->graph);
	char text[RELEASE_LEN];

	return least < 0 ? json_null() : json_string(release_str(least, text));
}

static json_t *
model_json(struct inspect *x, const struct onnx_read *o)
{
	const Onnx__ModelProto *m = o->model;
	const Onnx__GraphProto *g = m->graph;
	_cleanup_free_ char *producer =
		str_printf("%s%s%s", m->producer_name ? m->producer_name : "", m->producer_version ? " " : "",
			   m->producer_version ? m->producer_version : "");

	return json_pack("{s:o, s:I, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
			 text_json(g->name), "ir_version", (json_int_t)m->ir_version, "producer",
			 text_json(producer), "bytes", (json_int_t)o->map.len, "nodes",
			 (json_int_t)x->ops.total, "opsets", opsets_json(m), "onnxruntime", runtime_json(m),
			 "meta", meta_json(m), "inputs", values_json(g->n_input, g->input), "outputs",
			 values_json(g->n_output, g->output), "ops", ops_json(&x->ops), "layers",
			 rows_list(x->layers), "data", rows_list(x->data));
}

int
onnx_inspect(const char *path, json_t **ret, struct err *e)
{
	_cleanup_(onnx_read_close) struct onnx_read o = ONNX_READ_INIT;
	struct inspect x = {.layers = json_object(), .data = json_object()};
	int r;

	r = onnx_read_open(path, &o, e);
	if (r == 0) {
		r = graph_add(&x, o.model->graph, e);
		if (r < 0)
			(void)err_context(e, "'%s'", path);
	}
	if (r == 0) {
		*ret = model_json(&x, &o);
		r = *ret ? 0 : err_no_memory(e);
	}
	tally_release(&x.ops);
	json_decref(x.layers);
	json_decref(x.data);
	return r;
}
