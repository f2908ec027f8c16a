#include "emit_private.h"

#include "base/str.h"

/* Checks ONNX's numbers in the table of element types against the schema. */
#define NUMBER_CHECK(sym, type)                                                            \
	_Static_assert((int)ELEM_ONNX_##sym == (int)ONNX__TENSOR_PROTO__DATA_TYPE__##type, \
		       "ONNX's number of " #sym)
NUMBER_CHECK(F32, FLOAT);
NUMBER_CHECK(F16, FLOAT16);
NUMBER_CHECK(BF16, BFLOAT16);
NUMBER_CHECK(F64, DOUBLE);
NUMBER_CHECK(I64, INT64);
NUMBER_CHECK(I32, INT32);
NUMBER_CHECK(I8, INT8);
NUMBER_CHECK(U8, UINT8);
NUMBER_CHECK(BOOL, BOOL);

void
emit_no_memory(struct emit *em)
{
	if (em->code == 0)
		em->code = err_set(em->e, E_NO_MEMORY, "memory ran out for the ONNX graph '%s'",
				   em->graph->name);
}

void
emit_fail(struct emit *em, const char *fmt, ...)
{
	char msg[sizeof(em->e->msg)];
	va_list ap;

	if (em->code)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	em->code = err_set(em->e, E_EXPORT, "'%s': %s", em->prefix, msg);
}

struct emit_place
emit_enter(struct emit *em, struct emit_list *nodes, const char *prefix, bool half)
{
	const struct emit_place back = {em->nodes, em->prefix, em->half};

	em->nodes = nodes;
	em->prefix = prefix;
	em->half = half;
	return back;
}

void
emit_leave(struct emit *em, struct emit_place back)
{
	em->nodes = back.nodes;
	em->prefix = back.prefix;
	em->half = back.half;
}

void *
emit_take(struct emit *em, size_t len)
{
	void *p = em->code ? NULL : arena_alloc(em->arena, len);

	if (!p)
		emit_no_memory(em);
	return p;
}

void *
emit_take_copy(struct emit *em, const void *data, size_t len)
{
	void *p = emit_take(em, len);

	return p ? memcpy(p, data, len) : NULL;
}

void
emit_list_add(struct emit *em, struct emit_list *l, void *p)
{
	size_t cap = MAX(l->cap * 2, 64);
	void **at;

	if (l->n == l->cap) {
		at = emit_take(em, cap * sizeof(*at));
		if (!at)
			return;
		if (l->n)
			memcpy(at, l->at, l->n * sizeof(*at));
		l->at = at;
		l->cap = cap;
	}
	l->at[l->n++] = p;
}

const char *
emit_format(struct emit *em, const char *fmt, ...)
{
	_cleanup_free_ char *s = NULL;
	const char *copy;
	va_list ap;

	va_start(ap, fmt);
	s = str_vprintf(fmt, ap);
	va_end(ap);
	copy = s ? emit_take_copy(em, s, strlen(s) + 1) : NULL;
	if (!copy)
		emit_no_memory(em);
	return copy ? copy : "";
}

const char *
emit_name(struct emit *em, const char *suffix)
{
	return *suffix ? emit_format(em, "%s/%s", em->prefix, suffix) : em->prefix;
}

void
emit_output_named(struct emit *em, const char *name)
{
	if (em->code)
		return;
	assert(em->last->n_output < EMIT_OUT_MAX);
	em->last->output[em->last->n_output++] = STR(name);
}

const char *
emit_output(struct emit *em, const char *suffix)
{
	const char *name = emit_name(em, suffix);

	emit_output_named(em, name);
	return em->code ? "" : name;
}

const char *
emit_node(struct emit *em, const char *suffix_node, const char *suffix_out, const char *type,
	  const char *const *in, size_t n_in)
{
	Onnx__NodeProto *n = emit_take(em, sizeof(*n));
	struct emit_slot *slot = emit_take(em, sizeof(*slot));
	char **names = emit_take(em, (n_in + EMIT_OUT_MAX) * sizeof(*names));

	if (em->code)
		return "";
	onnx__node_proto__init(n);
	n->n_input = n_in;
	n->input = memcpy(names, in, n_in * sizeof(*names));
	n->output = names + n_in;
	n->name = STR(emit_name(em, suffix_node));
	n->op_type = STR(type);
	slot->node = n;
	emit_list_add(em, em->nodes, slot);
	if (!tally_add(&em->job->tally, type))
		emit_no_memory(em);
	em->last = n;
	return emit_output(em, suffix_out);
}

void
emit_domain(struct emit *em, const char *domain)
{
	if (em->code == 0)
		em->last->domain = STR(domain);
}

static Onnx__AttributeProto *
attr_add(struct emit *em, const char *name, Onnx__AttributeProto__AttributeType type)
{
	Onnx__AttributeProto *a = emit_take(em, sizeof(*a));
	Onnx__AttributeProto **all =
		em->code ? NULL : emit_take(em, (em->last->n_attribute + 1) * sizeof(*all));
	size_t n;

	if (em->code)
		return NULL;
	onnx__attribute_proto__init(a);
	a->name = STR(name);
	a->has_type = true;
	a->type = type;
	n = em->last->n_attribute++;
	if (n)
		memcpy(all, em->last->attribute, n * sizeof(*all));
	all[n] = a;
	em->last->attribute = all;
	return a;
}

void
emit_attr_int(struct emit *em, const char *name, int64_t i)
{
	Onnx__AttributeProto *a = attr_add(em, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

	if (!a)
		return;
	a->has_i = true;
	a->i = i;
}

void
emit_attr_elem(struct emit *em, const char *name, enum elem elem)
{
	emit_attr_int(em, name, elem_onnx(elem));
}

void
emit_attr_ints(struct emit *em, const char *name, size_t n, const int64_t *i)
{
	Onnx__AttributeProto *a = attr_add(em, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

	if (!a)
		return;
	a->n_ints = n;
	a->ints = emit_take_copy(em, i, n * sizeof(*i));
}

void
emit_attr_float(struct emit *em, const char *name, double f)
{
	Onnx__AttributeProto *a = attr_add(em, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

	if (!a)
		return;
	a->has_f = true;
	a->f = (float)f;
}

void
emit_attr_string(struct emit *em, const char *name, const char *s)
{
	Onnx__AttributeProto *a = attr_add(em, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

	if (!a)
		return;
	a->has_s = true;
	a->s.len = strlen(s);
	a->s.data = (uint8_t *)STR(s);
}

void
emit_attr_branch(struct emit *em, const char *name, struct emit_branch *b)
{
	Onnx__AttributeProto *a = attr_add(em, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH);

	if (a)
		a->g = &b->proto;
}
