#include "extra.h"

#include <float.h>

#include "base/str.h"
#include "emit_private.h"
#include "quantize.h"

#define INPUT_IDS "input_ids"

static struct extra_output *
add(struct extra_output *o, const struct ir_graph *g, const char *suffix, enum elem elem)
{
	(void)snprintf(o->name, sizeof(o->name), "%s_%s", g->output->name, suffix);
	o->elem = elem;
	o->shape = g->output->shape;
	return o;
}

static const struct ir_value *
input_find(const struct ir_graph *g, const char *name)
{
	size_t i;

	for (i = 0; i < g->n_value; i++)
		if (g->value[i]->kind == IR_INPUT && str_eq(g->value[i]->name, name))
			return g->value[i];
	return NULL;
}

size_t
extra_list(const struct ir_graph *g, unsigned extras, struct extra_output ret[EXTRA_MAX])
{
	const struct ir_value *ids = input_find(g, INPUT_IDS);
	struct dim *last;
	size_t n = 0;

	if (!g->output)
		return 0;
	if (extras & EXTRA_BITS) {
		last = &add(&ret[n++], g, "bits", ELEM_U8)->shape.dim[g->output->shape.rank - 1];
		*last = dim_div(*last, 8);
	}
	if (extras & EXTRA_INT8) {
		(void)add(&ret[n++], g, "int8", ELEM_I8);
		add(&ret[n++], g, "scale", ELEM_F32)->shape.dim[g->output->shape.rank - 1] = dim_const(1);
	}
	if (extras & EXTRA_IMAGE_TOKEN && ids)
		ret[n++] = (struct extra_output){"is_image_token", ELEM_BOOL, ids->shape};
	return n;
}

/* Eight signs times 128, 64, ... 1, as one sum. */
static void
bits_emit(struct emit *em, const char *x, int64_t dim)
{
	static const float weights[] = {128, 64, 32, 16, 8, 4, 2, 1};
	static const int64_t eight[] = {8};
	const struct shape *s = &em->graph->output->shape;
	struct shape split = *s;

	split.dim[split.rank - 1] = dim_const(dim / 8);
	split.dim[split.rank++] = dim_const(8);
	x = emit_op(em, "positive", "Greater", x, emit_f32(em, 0));
	x = emit_op(em, "ones", "Cast", x);
	emit_attr_elem(em, "to", ELEM_F32);
	x = emit_op(em, "eights", "Reshape", x, emit_shape(em, &split));
	x = emit_op(em, "bytes", "MatMul", x, emit_table(em, NULL, ELEM_F32, 1, eight, weights));
	(void)emit_result(em, "Cast", x);
	emit_attr_elem(em, "to", ELEM_U8);
}

static const char *
scale_emit(struct emit *em, const char *x)
{
	const char *largest = emit_op(em, "largest", "ReduceMax", emit_op(em, "magnitude", "Abs", x));

	emit_attr_ints(em, "axes", 1, (const int64_t[]){-1});
	largest = emit_op(em, "share", "Mul", largest, emit_f32(em, 1.0 / QUANTIZE_MAX));
	return emit_result(em, "Max", largest, emit_f32(em, FLT_MIN));
}

static void
int8_emit(struct emit *em, const char *x, const char *scale)
{
	(void)emit_result(em, "Cast", emit_op(em, "whole", "Round", emit_op(em, "steps", "Div", x, scale)));
	emit_attr_elem(em, "to", ELEM_I8);
}

void
extra_emit(struct emit *em)
{
	const struct ir_value *v = em->graph->output;
	struct extra_output out[EXTRA_MAX];
	const size_t n = extra_list(em->graph, em->job->options->extras, out);
	const char *x = n ? emit_in(em, v) : NULL, *scale;
	size_t i;

	for (i = 0; i < n; i++) {
		em->prefix = emit_format(em, "%s", out[i].name);
		if (out[i].elem == ELEM_U8)
			bits_emit(em, x, v->shape.dim[v->shape.rank - 1].num);
		if (out[i].elem == ELEM_BOOL)
			(void)emit_result(em, "Equal", INPUT_IDS,
					  emit_i64(em, em->job->options->image_token));
		if (out[i].elem != ELEM_I8)
			continue;
		em->prefix = emit_format(em, "%s", out[i + 1].name); /* its scale comes first */
		scale = scale_emit(em, x);
		em->prefix = emit_format(em, "%s", out[i++].name);
		int8_emit(em, x, scale);
	}
}
