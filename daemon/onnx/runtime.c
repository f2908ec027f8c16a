#include "runtime.h"

#include "base/str.h"

#define IR_MAX 8
#define OPSET_MAX 17

static const struct {
	const char *domain, *type;
	int least;
} ops[] = {
#define RUNTIME_OP(domain, type, minor, patch) {domain, type, RELEASE(minor, patch)},
#include "runtime.def"
#undef RUNTIME_OP
};

static int
node_least(const Onnx__NodeProto *n)
{
	const char *domain = n->domain ? n->domain : "", *type = n->op_type ? n->op_type : "";
	size_t i;

	for (i = 0; i < ARRAY_LEN(ops); i++)
		if (str_eq(ops[i].domain, domain) && str_eq(ops[i].type, type))
			return ops[i].least;
	return *domain && !str_eq(domain, "ai.onnx") ? -1 : RUNTIME_LEAST;
}

static int
graph_least(const Onnx__GraphProto *g)
{
	int least = RUNTIME_LEAST, k;
	size_t i, a;

	for (i = 0; i < g->n_node && least >= 0; i++) {
		k = node_least(g->node[i]);
		least = k < 0 ? k : MAX(least, k);
		for (a = 0; a < g->node[i]->n_attribute && least >= 0; a++)
			if (g->node[i]->attribute[a]->g) {
				k = graph_least(g->node[i]->attribute[a]->g);
				least = k < 0 ? k : MAX(least, k);
			}
	}
	return least;
}

int
runtime_least(const Onnx__ModelProto *m, const Onnx__GraphProto *g)
{
	size_t i;

	if (m->ir_version > IR_MAX)
		return -1;
	for (i = 0; i < m->n_opset_import; i++)
		if (!m->opset_import[i]->domain || *m->opset_import[i]->domain == '\0')
			if (m->opset_import[i]->version > OPSET_MAX)
				return -1;
	return graph_least(g);
}
