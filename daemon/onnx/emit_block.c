/* Blocks of nodes: those of a graph, of a branch of an If, and of a body that a lowering writes itself. */
#include "emit_private.h"

#include "base/str.h"
#include "lower.h"

Onnx__ValueInfoProto *
emit_value_info(struct emit *em, const struct ir_value *v, const char *name, int32_t type)
{
	struct {
		Onnx__ValueInfoProto info;
		Onnx__TypeProto type;
		Onnx__TypeProto__Tensor tensor;
		Onnx__TensorShapeProto shape;
		Onnx__TensorShapeProto__Dimension dim[IR_RANK_MAX], *dims[IR_RANK_MAX];
	} *p = emit_take(em, sizeof(*p));
	const struct dim *d;
	char text[128];
	int i;

	if (!p)
		return NULL;
	onnx__value_info_proto__init(&p->info);
	onnx__type_proto__init(&p->type);
	onnx__type_proto__tensor__init(&p->tensor);
	onnx__tensor_shape_proto__init(&p->shape);
	p->info.name = STR(name);
	p->info.type = &p->type;
	p->type.tensor_type = &p->tensor;
	p->tensor.has_elem_type = true;
	p->tensor.elem_type = type;
	if (!v)
		return &p->info;
	p->tensor.shape = &p->shape;
	p->shape.n_dim = (size_t)v->shape.rank;
	p->shape.dim = p->dims;
	for (i = 0; i < v->shape.rank; i++) {
		d = &v->shape.dim[i];
		p->dims[i] = &p->dim[i];
		onnx__tensor_shape_proto__dimension__init(&p->dim[i]);
		p->dim[i].has_dim_value = dim_is_const(*d);
		if (p->dim[i].has_dim_value)
			p->dim[i].dim_value = d->num;
		else
			p->dim[i].dim_param = STR(emit_format(em, "%s", dim_str(*d, text, sizeof(text))));
	}
	return &p->info;
}

static void
slots_append(struct emit *em, const struct emit_list *slots, struct emit_list *ret)
{
	const struct emit_slot *slot;
	size_t i;

	for (i = 0; i < slots->n; i++) {
		slot = slots->at[i];
		emit_list_add(em, ret, slot->node);
		slots_append(em, &slot->after, ret);
	}
}

void
emit_slots_flatten(struct emit *em, struct emit_list *l)
{
	struct emit_list nodes = {.n = 0};

	slots_append(em, l, &nodes);
	*l = nodes;
}

void
emit_graph_fill(struct emit *em, Onnx__GraphProto *g, const char *name, struct emit_list *nodes,
		const struct emit_list *outputs)
{
	emit_slots_flatten(em, nodes);
	g->name = STR(name);
	g->n_node = nodes->n;
	g->node = (Onnx__NodeProto **)nodes->at;
	g->n_output = outputs->n;
	g->output = (Onnx__ValueInfoProto **)outputs->at;
}

void
emit_block(struct emit *em, const struct ir_block *b)
{
	const struct ir_node *n;
	size_t i;

	for (i = 0; i < b->n && em->code == 0; i++) {
		n = b->node[i];
		em->prefix = em->value[n->out->id].name;
		em->half = emit_node_half(em, n);
		em->next = i + 1 < b->n ? b->node[i + 1] : NULL;
		target_lowering(em->target, n->op)(em, n);
		if (em->code == 0)
			em->value[n->out->id].slot = em->nodes->at[em->nodes->n - 1];
	}
}

/*
 * Returns the name of the result in the current precision. ONNX wants a branch's result to be made inside the branch, so a
 * value from outside goes through an Identity.
 */
const char *
emit_block_result(struct emit *em, const struct ir_block *b, const struct ir_value *v, const char *suffix)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (b->node[i]->out == v)
			return emit_in(em, v);
	return emit_op(em, suffix, "Identity", emit_in(em, v));
}

/* What a branch quantized is not seen outside it. */
static void
inputs_forget(struct emit *em, const struct emit_list *nodes)
{
	struct known_input *known;
	size_t i;

	for (i = 0; i < em->inputs.n; i++) {
		known = em->inputs.at[i];
		if (known->nodes == nodes)
			known->value = NULL;
	}
}

struct emit_branch *
emit_branch(struct emit *em, const char *suffix, const struct ir_block *b)
{
	struct emit_branch *branch = emit_take(em, sizeof(*branch));
	struct emit_list outputs = {.n = 0};
	const char *prefix = em->prefix, *output;
	struct emit_place back;

	if (!branch)
		return NULL;
	onnx__graph_proto__init(&branch->proto);
	back = emit_enter(em, &branch->nodes, prefix, false);
	emit_block(em, b);
	(void)emit_enter(em, &branch->nodes, prefix, false); /* each of its nodes had another value at hand */
	output = emit_block_result(em, b, b->result, suffix);
	emit_list_add(em, &outputs, emit_value_info(em, b->result, output, elem_onnx(b->result->elem)));
	emit_graph_fill(em, &branch->proto, emit_name(em, suffix), &branch->nodes, &outputs);
	inputs_forget(em, &branch->nodes);
	emit_leave(em, back);
	return branch;
}

/* ONNX's number of the type, float32 meaning the precision at hand. */
static int32_t
type_at_hand(const struct emit *em, enum elem elem)
{
	return elem_onnx(elem == ELEM_F32 && em->half ? ELEM_F16 : elem);
}

struct emit_branch *
emit_body_begin(struct emit *em)
{
	struct emit_branch *b = emit_take(em, sizeof(*b));

	if (!b)
		return NULL;
	onnx__graph_proto__init(&b->proto);
	b->outer = em->nodes;
	em->nodes = &b->nodes;
	return b;
}

const char *
emit_body_input(struct emit *em, struct emit_branch *b, const char *suffix, enum elem elem,
		struct shape shape)
{
	const struct ir_value v = {.shape = shape};
	const char *name = emit_name(em, suffix);

	if (em->code)
		return "";
	emit_list_add(em, &b->inputs, emit_value_info(em, &v, name, type_at_hand(em, elem)));
	return name;
}

void
emit_body_output(struct emit *em, struct emit_branch *b, const char *name, enum elem elem)
{
	if (em->code == 0)
		emit_list_add(em, &b->outputs, emit_value_info(em, NULL, name, type_at_hand(em, elem)));
}

void
emit_body_end(struct emit *em, struct emit_branch *b, const char *suffix)
{
	if (em->code)
		return;
	emit_slots_flatten(em, &b->nodes);
	b->proto.name = STR(emit_name(em, suffix));
	b->proto.n_node = b->nodes.n;
	b->proto.node = (Onnx__NodeProto **)b->nodes.at;
	b->proto.n_input = b->inputs.n;
	b->proto.input = (Onnx__ValueInfoProto **)b->inputs.at;
	b->proto.n_output = b->outputs.n;
	b->proto.output = (Onnx__ValueInfoProto **)b->outputs.at;
	em->nodes = b->outer;
}

/* ---- what is made once ---- */

struct known_once {
	const struct ir_value *v; /* NULL: of sizes and inputs */
	bool half;
	const char *name, *result;
};

const char *
emit_once(struct emit *em, const struct ir_value *v, const char *name, emit_make_fn make, const void *arg)
{
	struct emit_slot *slot = v ? em->value[v->id].slot : NULL;
	const bool half = v && em->half; /* sizes are whole numbers */
	struct known_once *known;
	struct emit_place back;
	size_t i;

	for (i = 0; i < em->once.n; i++) {
		known = em->once.at[i];
		if (known->v == v && known->half == half && str_eq(known->name, name))
			return known->result;
	}
	known = emit_take(em, sizeof(*known));
	if (!known)
		return "";
	*known = (struct known_once){.v = v, .half = half, .name = name};
	back = emit_enter(em, slot ? &slot->after : &em->prelude, v ? em->value[v->id].name : name, half);
	known->result = make(em, arg);
	emit_leave(em, back);
	emit_list_add(em, &em->once, known);
	return known->result;
}
