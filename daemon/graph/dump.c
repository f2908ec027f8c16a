#include "graph.h"

static void
value_put(struct buf *b, const struct ir_value *v)
{
	char s[256];

	buf_printf(b, "%s %s", elem_word(v->elem), shape_str(&v->shape, s, sizeof(s)));
}

static void
attr_put(struct buf *b, const struct ir_node *n)
{
	char s[256];
	int i;

	switch (n->op) {
	case OP_RMS_NORM:
	case OP_LAYER_NORM:
		buf_printf(b, ", %g", n->attr.f);
		break;
	case OP_DELTA_RULE:
		buf_printf(b, ", %g", n->attr.f);
		break;
	case OP_L2_NORMALIZE:
		if (n->attr.f > 0)
			buf_printf(b, ", %g", n->attr.f);
		break;
	case OP_ATTENTION:
		buf_printf(b, ", %s, %g", n->attr.i == IR_MASK_CAUSAL ? "causal" : "full", n->attr.f);
		break;
	case OP_CAST:
		buf_printf(b, ", %s", elem_word(n->attr.elem));
		break;
	case OP_TRANSPOSE:
		for (i = 0; i < n->out->shape.rank; i++)
			buf_printf(b, "%s%d", i ? " " : ", ", n->attr.perm[i]);
		break;
	case OP_SLICE:
		buf_printf(b, ", axis %d, %lld..%lld", n->attr.axis, (long long)n->attr.begin,
			   (long long)n->attr.end);
		break;
	case OP_CONCAT:
	case OP_CUMSUM:
	case OP_SUM:
	case OP_SHIFT:
		buf_printf(b, ", axis %d", n->attr.axis);
		break;
	case OP_SIZE:
	case OP_IOTA:
		buf_puts(b, shape_str(&n->attr.shape, s, sizeof(s)));
		break;
	default:
		break;
	}
}

static void
block_put(struct buf *b, const struct ir_block *blk, int indent)
{
	const struct ir_node *n;
	size_t i;
	int k;

	for (i = 0; i < blk->n; i++) {
		n = blk->node[i];
		buf_printf(b, "%*s%s = %s(", indent, "", n->out->name, ir_op_info(n->op)->name);
		for (k = 0; k < n->n_in; k++)
			buf_printf(b, "%s%s", k ? ", " : "", n->in[k]->name);
		attr_put(b, n);
		buf_puts(b, ")    ");
		value_put(b, n->out);
		buf_puts(b, "\n");
		if (n->op != OP_IF)
			continue;
		buf_printf(b, "%*sthen\n", indent, "");
		block_put(b, n->attr.then_block, indent + 4);
		buf_printf(b, "%*s-> %s\n%*selse\n", indent + 4, "", n->attr.then_block->result->name, indent,
			   "");
		block_put(b, n->attr.else_block, indent + 4);
		buf_printf(b, "%*s-> %s\n", indent + 4, "", n->attr.else_block->result->name);
	}
}

void
graph_dump(const struct ir_graph *g, struct buf *b)
{
	const struct ir_value *v;
	size_t i;

	buf_printf(b, "graph %s\n", g->name);
	for (i = 0; i < g->n_value; i++)
		if (g->value[i]->kind == IR_INPUT) {
			buf_printf(b, "input %s    ", g->value[i]->name);
			value_put(b, g->value[i]);
			buf_puts(b, "\n");
		}
	block_put(b, &g->block, 0);
	/* preprocess has no output: it gives the inputs of another graph */
	for (i = 0; (v = graph_output(g, i)); i++) {
		buf_printf(b, "output %s    ", v->name);
		value_put(b, v);
		buf_puts(b, "\n");
	}
}
