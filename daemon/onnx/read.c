#include "read.h"

#define FILE_LEN_MAX (2ull << 30) /* of any protobuf message */
#define BRANCH_DEPTH_MAX 16

struct wire {
	const unsigned char *p, *end;
};

static bool
varint_get(struct wire *w, uint64_t *ret)
{
	int shift;

	*ret = 0;
	for (shift = 0; shift < 64 && w->p < w->end; shift += 7) {
		*ret |= (uint64_t)(*w->p & 0x7f) << shift;
		if ((*w->p++ & 0x80) == 0)
			return true;
	}
	return false;
}

static bool
skip(struct wire *w, uint64_t len)
{
	if (len > (uint64_t)(w->end - w->p))
		return false;
	w->p += len;
	return true;
}

/* Reads the next field; *ret_body is empty unless it is a message, string or bytes. */
static bool
field_get(struct wire *w, uint64_t *ret_number, struct wire *ret_body)
{
	uint64_t tag, n;

	*ret_body = (struct wire){w->p, w->p};
	if (!varint_get(w, &tag))
		return false;
	*ret_number = tag >> 3;
	switch (tag & 7) {
	case 0:
		return varint_get(w, &n);
	case 1:
		return skip(w, 8);
	case 2:
		if (!varint_get(w, &n) || n > (uint64_t)(w->end - w->p))
			return false;
		*ret_body = (struct wire){w->p, w->p + n};
		return skip(w, n);
	case 5:
		return skip(w, 4);
	default:
		return false;
	}
}

/*
 * Whether branches nest at most `left` deep below a message. path[step...] are the field numbers that lead
 * from it to the next graph.
 */
static bool
depth_ok(struct wire w, int step, int left)
{
	static const unsigned int path[] = {
		7, 1, 5,
		6}; /* model, graph, node, attribute; an attribute leads to the graph at index 1 again */
	struct wire body;
	uint64_t number;

	while (w.p < w.end) {
		if (!field_get(&w, &number, &body))
			return false;
		if (number != path[step])
			continue;
		if (step == 3 && left == 0)
			return false;
		if (!depth_ok(body, step == 3 ? 1 : step + 1, step == 3 ? left - 1 : left))
			return false;
	}
	return true;
}

static void *
budget_alloc(void *data, size_t len)
{
	uint64_t *left = data;

	if (len > *left)
		return NULL;
	*left -= len;
	return malloc(len);
}

static void
budget_free(void *data, void *p)
{
	(void)data;
	free(p);
}

int
onnx_read_open(const char *path, struct onnx_read *ret, struct err *e)
{
	uint64_t len;
	int r;

	r = map_open(path, E_BAD_ONNX, &ret->map, e);
	if (r < 0)
		return r;
	len = ret->map.len;
	if (len > FILE_LEN_MAX)
		return err_set(e, E_BAD_ONNX, "'%s' is longer than the 2 GiB that an ONNX file may have",
			       path);
	/* An empty file has no mapping to point into. */
	if (len == 0 || !depth_ok((struct wire){ret->map.data, ret->map.data + len}, 0, BRANCH_DEPTH_MAX))
		return err_set(e, E_BAD_ONNX, "'%s' is not an ONNX file, or its branches are nested too deep",
			       path);
	ret->budget = (1u << 20) + 32 * len; /* an unpacked short node takes about ten times its bytes */
	ret->allocator = (ProtobufCAllocator){budget_alloc, budget_free, &ret->budget};
	ret->model = onnx__model_proto__unpack(&ret->allocator, len, ret->map.data);
	if (!ret->model || !ret->model->graph)
		return err_set(e, E_BAD_ONNX, "'%s' is not an ONNX file", path);
	return 0;
}

void
onnx_read_close(struct onnx_read *o)
{
	onnx__model_proto__free_unpacked(o->model, &o->allocator);
	map_close(&o->map);
	o->model = NULL;
}

const char *
onnx_type_name(int32_t type)
{
	const ProtobufCEnumValue *v =
		protobuf_c_enum_descriptor_get_value(&onnx__tensor_proto__data_type__descriptor, type);

	return v ? v->name : "unknown";
}
