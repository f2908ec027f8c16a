/*
 * Finds the tensors of a checkpoint with this config.json: those that the family's graphs ask for when they
 * are traced without a checkpoint. So a new family needs no list.
 */
#include "base/str.h"
#include "mkcheckpoint.h"
#include "model/model.h"

/* The use of a weight decides the distribution of its values. */
static enum mkc_kind
kind_get(const struct ir_graph *g, const struct ir_value *w)
{
	const struct ir_node *n;
	size_t i;

	if (w->transform == IR_PLUS_ONE)
		return MKC_SMALL;
	for (i = 0; i < g->n_value; i++) {
		n = g->value[i]->node;
		if (!n)
			continue;
		if (n->op == OP_GATHER && n->in[0] == w)
			return MKC_EMBED;
		if ((n->op == OP_RMS_NORM || n->op == OP_LAYER_NORM) && n->in[1] == w)
			return MKC_NORM;
	}
	return w->weight->tensor->rank > 1 ? MKC_LINEAR : MKC_SMALL;
}

static bool
tensor_known(const struct mkc_tensors *t, const char *name)
{
	return FIND_ROW(t->tensors, t->count, name, name) != NULL;
}

static int
graph_tensors(const struct model_found *f, const void *config, enum variant v, struct mkc_tensors *ret,
	      struct err *e)
{
	static const struct model_options options;
	const struct model *m = f->model;
	const struct sizes sizes = m->trace_sizes(config);
	_cleanup_(trace_free) struct trace *t = NULL;
	_cleanup_(graph_free) struct ir_graph *g = NULL;
	const struct st_tensor *x;
	size_t i;
	int r;

	r = trace_new(variant_name(v), /*ck=*/NULL, &sizes, &t, e);
	if (r == 0)
		r = trace_finish(t, m->build(t, config, v, &options), head_output(f->head), &g, e);
	for (i = 0; r == 0 && i < g->n_value; i++) {
		if (g->value[i]->kind != IR_WEIGHT)
			continue;
		x = g->value[i]->weight->tensor;
		if (!tensor_known(ret, x->name))
			mkc_add(ret, kind_get(g, g->value[i]), x->rank, x->shape, x->name);
	}
	return r;
}

int
mkc_tensors_get(const json_t *config, int64_t embedding_dim, struct mkc_tensors *ret, struct err *e)
{
	json_auto_t *json = json_copy((json_t *)(uintptr_t)config);
	struct model_found found;
	const struct model *m;
	_cleanup_free_ void *c = NULL;
	int v, r;

	/* Without a projection, config.json gives the width of the embeddings. */
	if (!json || json_object_set_new(json, "embedding_dim", json_integer(embedding_dim)) < 0)
		return err_no_memory(e);
	r = model_find(json, HEAD_AUTO, &found, e);
	if (r < 0)
		return r;
	m = found.model;
	c = calloc(1, m->config_size);
	if (!c)
		return err_no_memory(e);
	r = m->config_read(json, /*ck=*/NULL, &found, c, e);
	for (v = 0; r == 0 && v < VARIANT_MAX; v++)
		if (m->arch->variants & 1u << v && !variant_takes_picture((enum variant)v))
			r = graph_tensors(&found, c, (enum variant)v, ret, e);
	return r;
}
