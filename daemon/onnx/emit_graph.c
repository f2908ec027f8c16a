/* Whole graphs: their inputs, their outputs, and run-time sizes. */
#include "emit_private.h"

#include "base/str.h"
#include "extra.h"
#include "front.h"

struct known_dim {
	struct dim dim;
	const char *name;
};

/* ---- sizes ---- */

static void
symbol_emit(struct emit *em, enum symbol s)
{
	const struct dim d = dim_symbol(s);
	const struct ir_value *v;
	size_t i;
	int k;

	for (i = 0; i < em->graph->n_value; i++) {
		v = em->graph->value[i];
		for (k = 0; v->kind == IR_INPUT && k < v->shape.rank; k++) {
			if (!dim_eq(v->shape.dim[k], d))
				continue;
			(void)emit_result(em, "Shape", v->name);
			emit_attr_int(em, "start", k);
			emit_attr_int(em, "end", k + 1);
			return;
		}
	}
	if (em->code == 0)
		em->code = err_set(em->e, E_EXPORT, "no input of graph '%s' has an axis of the size '%s'",
				   em->graph->name, symbol_name(s));
}

/* Emits one multiplication or division; the other operand is a size that emit_dim() emits in turn. */
static void
dim_emit(struct emit *em, struct dim d)
{
	struct dim rest = d;
	int s;

	if (d.den != 1) {
		rest.den = 1;
		(void)emit_result(em, "Div", emit_dim(em, rest), emit_i64_list(em, d.den));
		return;
	}
	if (d.num != 1) {
		rest.num = 1;
		(void)emit_result(em, "Mul", emit_dim(em, rest), emit_i64_list(em, d.num));
		return;
	}
	for (s = 0; d.pow[s] == 0; s++)
		;
	rest.pow[s]--;
	if (dim_is_const(rest))
		symbol_emit(em, (enum symbol)s);
	else
		(void)emit_result(em, "Mul", emit_dim(em, dim_symbol((enum symbol)s)), emit_dim(em, rest));
}

const char *
emit_dim(struct emit *em, struct dim d)
{
	struct emit_place back;
	struct known_dim *known;
	char text[128];
	size_t i;

	if (dim_is_const(d))
		return emit_i64_list(em, d.num);
	for (i = 0; i < em->dims.n; i++) {
		known = em->dims.at[i];
		if (dim_eq(known->dim, d))
			return known->name;
	}
	known = emit_take(em, sizeof(*known));
	if (!known)
		return "";
	known->dim = d;
	known->name = emit_format(em, "dim.%s", dim_str(d, text, sizeof(text)));
	emit_list_add(em, &em->dims, known);
	back = emit_enter(em, &em->prelude, known->name, em->half);
	dim_emit(em, d);
	emit_leave(em, back);
	return known->name;
}

const char *
emit_shape(struct emit *em, const struct shape *s)
{
	const char *part[IR_RANK_MAX], *name;
	struct emit_place back;
	char text[256];
	size_t i;
	int k;

	name = emit_format(em, "shape.%s", shape_str(s, text, sizeof(text)));
	for (i = 0; i < em->shapes.n && em->code == 0; i++)
		if (strcmp(em->shapes.at[i], name) == 0)
			return name;
	if (em->code)
		return "";
	emit_list_add(em, &em->shapes, STR(name));
	for (k = 0; k < s->rank; k++)
		part[k] = emit_dim(em, s->dim[k]);
	back = emit_enter(em, &em->prelude, name, em->half);
	(void)emit_node(em, "", "", "Concat", part, (size_t)s->rank);
	emit_attr_int(em, "axis", 0);
	emit_leave(em, back);
	return name;
}

const char *
emit_range(struct emit *em, const char *suffix, struct dim d)
{
	const char *count = emit_op(em, "count", "Squeeze", emit_dim(em, d), emit_i64_list(em, 0));

	return emit_op(em, suffix, "Range", emit_i64(em, 0), count, emit_i64(em, 1));
}

/* ---- graphs ---- */

/* The declared inputs of the graph, which are those of the file unless the front makes them from a picture. */
static void
inputs_list(struct emit *em, bool front, struct emit_list *ret)
{
	const struct ir_value *v;
	size_t i;

	for (i = 0; i < em->graph->n_value; i++) {
		v = em->graph->value[i];
		if (v->kind != IR_INPUT || (front && !v->from_caller))
			continue;
		emit_list_add(em, ret, emit_value_info(em, v, v->name, elem_onnx(v->elem)));
		if (em->job->options->optional_images)
			emit_default_none(em, v);
	}
}

static void
inputs_fill(struct emit *em, Onnx__GraphProto *g)
{
	const struct ir_value picture = front_input();
	struct emit_list inputs = {.n = 0};

	if (em->job->front)
		emit_list_add(em, &inputs,
			      emit_value_info(em, &picture, picture.name, elem_onnx(picture.elem)));
	inputs_list(em, em->job->front != NULL, &inputs);
	g->n_input = inputs.n;
	g->input = (Onnx__ValueInfoProto **)inputs.at;
}

/* Only the embeddings may have another name than in the trace. */
static const char *
output_name_get(const struct emit *em, const struct ir_value *v)
{
	const char *name = em->job->options->output;

	return name && v == em->graph->output ? name : v->name;
}

/* Whether an output already has the requested precision. If not, a cast becomes the output. */
static bool
output_fits(const struct emit *em, const struct ir_value *v)
{
	return v->elem != ELEM_F32 || em->value[v->id].half == em->job->options->output_half;
}

/* Gives an output's name to the value itself, or to the cast that follows it. */
static void
outputs_rename(struct emit *em)
{
	const struct ir_value *v;
	struct known_value *known;
	size_t i;

	for (i = 0; (v = graph_output(em->graph, i)); i++) {
		known = &em->value[v->id];
		known->name = output_fits(em, v) ? output_name_get(em, v)
						 : emit_format(em, "%s/uncast", known->name);
	}
}

static const char *
output_emit(struct emit *em, const struct ir_value *v)
{
	const char *x;

	em->prefix = em->graph->name;
	em->half = em->job->options->output_half;
	if (output_fits(em, v))
		return emit_block_result(em, &em->graph->block, v, "output");
	em->prefix = output_name_get(em, v);
	x = emit_result(em, "Cast", em->value[v->id].name);
	emit_attr_int(em, "to", elem_onnx(em->half ? ELEM_F16 : ELEM_F32));
	return x;
}

/* Emits the graph's own outputs and lists them. */
static void
outputs_emit(struct emit *em, struct emit_list *ret)
{
	const bool half = em->job->options->output_half;
	const struct ir_value *v;
	enum elem elem;
	size_t i;

	for (i = 0; (v = graph_output(em->graph, i)); i++) {
		elem = v->elem == ELEM_F32 && half ? ELEM_F16 : v->elem;
		emit_list_add(em, ret, emit_value_info(em, v, output_emit(em, v), elem_onnx(elem)));
	}
}

static void
list_append(struct emit *em, struct emit_list *to, const struct emit_list *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		emit_list_add(em, to, from->at[i]);
}

/* Lists the extra outputs after the graph's own. */
static void
extras_list(struct emit *em, struct emit_list *ret)
{
	struct extra_output out[EXTRA_MAX];
	const size_t n = extra_list(em->graph, em->job->options->extras, out);
	struct ir_value v;
	size_t i;

	for (i = 0; i < n; i++) {
		v = (struct ir_value){.shape = out[i].shape};
		emit_list_add(
			em, ret,
			emit_value_info(em, &v, emit_format(em, "%s", out[i].name), elem_onnx(out[i].elem)));
	}
}

static int
graph_emit(struct emit *em)
{
	Onnx__GraphProto g = ONNX__GRAPH_PROTO__INIT;
	struct emit_list front = {.n = 0}, nodes = {.n = 0}, all = {.n = 0}, outputs = {.n = 0};

	em->value = emit_take(em, (em->graph->n_value + 1) * sizeof(*em->value));
	if (!em->value)
		return em->code;
	emit_halves(em);
	outputs_rename(em);
	em->nodes = &front;
	em->half = false;
	if (em->job->front)
		front_emit(em, em->job->front);
	em->nodes = &nodes;
	emit_block(em, &em->graph->block);
	outputs_emit(em, &outputs);
	em->half = false;
	extra_emit(em);
	extras_list(em, &outputs);
	if (!em->graph->output) /* its inputs are what such a graph gives */
		inputs_list(em, false, &outputs);
	list_append(em, &all, &front);
	list_append(em, &all, &em->prelude);
	list_append(em, &all, &nodes);
	emit_graph_fill(em, &g, em->graph->name, &all, &outputs);
	inputs_fill(em, &g);
	g.n_initializer = em->initializers.n;
	g.initializer = (Onnx__TensorProto **)em->initializers.at;
	tally_sort(&em->job->tally);
	return emit_model(em, &g);
}

int
emit_graph(struct emit_job *job, struct err *e)
{
	struct emit em = {.job = job, .graph = job->graph, .target = job->options->target, .e = e};
	int r;

	if (!em.target)
		em.target = &target_portable;
	em.arena = arena_new();
	r = em.arena ? graph_emit(&em) : err_no_memory(e);
	arena_free(&em.arena);
	return r;
}
