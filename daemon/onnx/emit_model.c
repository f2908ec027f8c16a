/*
 * The file around a graph. Embedded weights come last, so that they can be streamed:
 *
 *	ModelProto   versions, metadata
 *	  GraphProto   nodes, inputs, outputs, constants       } packed by protobuf-c up to here
 *	    TensorProto  name, type, shape | raw_data          }
 *	    TensorProto  name, type, shape | raw_data
 *	    ...
 */
#include "emit_private.h"

#include "base/str.h"
#include "config.h"
#include "runtime.h"

#define FILE_LEN_MAX INT32_MAX /* protobuf reads no longer files */

/* Fields of messages and bytes: number << 3 | 2, then the length. */
#define KEY_MODEL_GRAPH (7 << 3 | 2)
#define KEY_GRAPH_INITIALIZER (5 << 3 | 2)
#define KEY_TENSOR_RAW_DATA (9 << 3 | 2)
#define KEY_LEN_MAX 11

static size_t
key_put(uint8_t *p, uint8_t key, uint64_t len)
{
	size_t n = 0;

	p[n++] = key;
	for (; len >= 0x80; len >>= 7)
		p[n++] = (uint8_t)(len | 0x80);
	p[n++] = (uint8_t)len;
	return n;
}

static size_t
key_len(uint64_t len)
{
	uint8_t key[KEY_LEN_MAX];

	return key_put(key, 0, len);
}

static void
meta_fill(struct emit *em, Onnx__ModelProto *m)
{
	Onnx__StringStringEntryProto *entry;
	struct emit_list all = {.n = 0};
	const char *const *kv;

	for (kv = em->job->meta; *kv; kv += 2) {
		entry = emit_take(em, sizeof(*entry));
		if (!entry)
			return;
		onnx__string_string_entry_proto__init(entry);
		entry->key = STR(kv[0]);
		entry->value = STR(kv[1]);
		emit_list_add(em, &all, entry);
	}
	m->n_metadata_props = all.n;
	m->metadata_props = (Onnx__StringStringEntryProto **)all.at;
}

static void
imports_fill(struct emit *em, Onnx__ModelProto *m)
{
	const struct target_import *in;
	Onnx__OperatorSetIdProto *opset;
	struct emit_list all = {.n = 0};

	for (in = em->target->imports; in->domain; in++) {
		opset = emit_take(em, sizeof(*opset));
		if (!opset)
			return;
		onnx__operator_set_id_proto__init(opset);
		if (*in->domain)
			opset->domain = STR(in->domain);
		opset->has_version = true;
		opset->version = in->version;
		emit_list_add(em, &all, opset);
	}
	m->n_opset_import = all.n;
	m->opset_import = (Onnx__OperatorSetIdProto **)all.at;
}

/* The length of all embedded tensors within the graph message. */
static uint64_t
embedded_len(struct emit *em)
{
	struct embedded *m;
	uint64_t len = 0;
	size_t i;

	for (i = 0; i < em->embedded.n; i++) {
		m = em->embedded.at[i];
		m->proto_len = onnx__tensor_proto__get_packed_size(m->proto) + key_len(m->len) + m->len;
		len += key_len(m->proto_len) + m->proto_len;
	}
	return len;
}

static int
embedded_write(struct emit *em)
{
	_cleanup_(buf_release) struct buf head = BUF_INIT;
	const struct buf *packed = &em->job->packed;
	const struct embedded *m;
	size_t i, len;
	uint8_t *p;
	int r;

	r = extdata_embed(em->job->data, packed->data, packed->len, em->e);
	for (i = 0; r == 0 && i < em->embedded.n; i++) {
		m = em->embedded.at[i];
		len = onnx__tensor_proto__get_packed_size(m->proto);
		buf_clear(&head);
		p = buf_reserve(&head, len + 2 * KEY_LEN_MAX);
		if (!p)
			return buf_failed(&head, em->e);
		head.len += key_put(p, KEY_GRAPH_INITIALIZER, m->proto_len);
		head.len += onnx__tensor_proto__pack(m->proto, p + head.len);
		head.len += key_put(p + head.len, KEY_TENSOR_RAW_DATA, m->len);
		r = extdata_embed_add(em->job->data, m->weight, &m->form, head.data, head.len, em->e);
	}
	return r;
}

static int
pack(struct emit *em, const Onnx__ModelProto *m, const Onnx__GraphProto *g)
{
	const size_t model_len = onnx__model_proto__get_packed_size(m);
	const uint64_t own_len = onnx__graph_proto__get_packed_size(g),
		       graph_len = own_len + embedded_len(em);
	const uint64_t file_len = model_len + key_len(graph_len) + graph_len;
	struct buf *packed = &em->job->packed;
	char text[32];
	uint8_t *p;

	if (em->code)
		return em->code;
	if (file_len > FILE_LEN_MAX)
		return err_set(em->e, E_TOO_LARGE,
			       "the graph '%s' with its weights inside would be a file of %s, but a protobuf "
			       "must have "
			       "less than 2 GiB; put them beside it (layout single or sharded)",
			       em->graph->name, str_bytes(file_len, text, sizeof(text)));
	p = buf_reserve(packed, model_len + KEY_LEN_MAX + own_len);
	if (!p)
		return buf_failed(packed, em->e);
	packed->len += onnx__model_proto__pack(m, p);
	packed->len += key_put(p + packed->len, KEY_MODEL_GRAPH, graph_len);
	packed->len += onnx__graph_proto__pack(g, p + packed->len);
	return em->job->options->embed ? embedded_write(em) : 0;
}

int
emit_model(struct emit *em, const Onnx__GraphProto *g)
{
	Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;

	m.has_ir_version = true;
	m.ir_version = em->target->ir_version;
	m.producer_name = STR(PACKAGE_NAME);
	m.producer_version = STR(PACKAGE_VERSION);
	imports_fill(em, &m);
	meta_fill(em, &m);
	em->job->runtime = runtime_least(&m, g);
	return pack(em, &m, g);
}
