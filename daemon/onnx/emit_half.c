/*
 * Graphs that compute in float16. Each float value has one precision, by the rules of graph/ops.def, and a
 * node that needs the other precision gets a cast. A value is cast once, where it is computed, so that
 * branches can use the cast too.
 */
#include "emit_private.h"

enum precision { PRECISION_half, PRECISION_wide, PRECISION_same };

static const enum precision precisions[] = {
#define OP(sym, name, min, max, rule, precision, help) PRECISION_##precision,
#include "graph/ops.def"
#undef OP
};

_Static_assert(ARRAY_LEN(precisions) == OP_COUNT, "a precision for each op");

static bool
is_float(const struct ir_value *v)
{
	return v->elem == ELEM_F32 && (v->kind == IR_RESULT || v->kind == IR_INPUT);
}

bool
emit_node_half(const struct emit *em, const struct ir_node *n)
{
	int i;

	if (!em->job->options->half || precisions[n->op] == PRECISION_wide)
		return false;
	for (i = 0; i < n->n_in && precisions[n->op] == PRECISION_same; i++)
		if (is_float(n->in[i]) && !em->value[n->in[i]->id].half)
			return false;
	return true;
}

void
emit_halves(struct emit *em)
{
	const struct ir_value *v;
	size_t i;

	for (i = 0; i < em->graph->n_value; i++) {
		v = em->graph->value[i]; /* after the values that it is computed from */
		em->value[i].name = v->name;
		em->value[i].half =
			v->kind == IR_RESULT && v->elem == ELEM_F32 && emit_node_half(em, v->node);
	}
}

static const char *
cast(struct emit *em, const char *suffix, const char *x, bool half)
{
	x = emit_op(em, suffix, "Cast", x);
	emit_attr_int(em, "to", elem_onnx(half ? ELEM_F16 : ELEM_F32));
	return x;
}

static const char *
other_make(struct emit *em, const void *value)
{
	const struct known_value *known = value;

	return cast(em, known->half ? "float" : "half", known->name, !known->half);
}

const char *
emit_cast_known(struct emit *em, const struct ir_value *v)
{
	return emit_once(em, v, "cast", other_make, &em->value[v->id]);
}

const char *
emit_island(struct emit *em, const char *x)
{
	if (!em->half)
		return x;
	em->half = false;
	em->island = true;
	return cast(em, "float", x, false);
}

const char *
emit_island_end(struct emit *em, const char *x)
{
	if (!em->island)
		return x;
	em->half = true;
	em->island = false;
	return cast(em, "half", x, true);
}
