#include "base/str.h"
#include "graph.h"

struct check {
	const struct ir_graph *g;
	bool *made; /* by value id */
	bool *used;
	struct err *e;
};

static int
name_cmp(const void *a, const void *b)
{
	return strcmp((*(struct ir_value *const *)a)->name, (*(struct ir_value *const *)b)->name);
}

static int
names_check(const struct check *c)
{
	_cleanup_free_ struct ir_value **sorted = malloc((c->g->n_value + 1) * sizeof(*sorted));
	size_t i;

	if (!sorted)
		return err_no_memory(c->e);
	memcpy(sorted, c->g->value, c->g->n_value * sizeof(*sorted));
	qsort(sorted, c->g->n_value, sizeof(*sorted), name_cmp);
	for (i = 1; i < c->g->n_value; i++)
		if (str_eq(sorted[i - 1]->name, sorted[i]->name))
			return err_set(c->e, E_INTERNAL, "two values are named '%s'", sorted[i]->name);
	return 0;
}

static int block_check(struct check *c, const struct ir_block *b);

static int
use(struct check *c, const struct ir_value *v, const char *by)
{
	c->used[v->id] = true;
	if (!c->made[v->id])
		return err_set(c->e, E_INTERNAL, "'%s' uses '%s' before it is made", by, v->name);
	return 0;
}

/* Values that a branch makes exist only inside it, so they are unmarked after the branch. */
static int
branch_check(struct check *c, const struct ir_block *b)
{
	size_t i;
	int r;

	if (!b || !b->result)
		return err_set(c->e, E_INTERNAL, "a branch has no result");
	r = block_check(c, b);
	if (r == 0)
		r = use(c, b->result, "a branch");
	for (i = 0; i < b->n; i++)
		c->made[b->node[i]->out->id] = false;
	return r;
}

static int
block_check(struct check *c, const struct ir_block *b)
{
	const struct ir_node *n;
	int k, r = 0;
	size_t i;

	for (i = 0; i < b->n; i++) {
		n = b->node[i];
		for (k = 0; k < n->n_in && r == 0; k++)
			r = use(c, n->in[k], n->out->name);
		if (r == 0 && n->op == OP_IF)
			r = branch_check(c, n->attr.then_block);
		if (r == 0 && n->op == OP_IF)
			r = branch_check(c, n->attr.else_block);
		if (r < 0)
			return r;
		c->made[n->out->id] = true;
	}
	return 0;
}

/* Every symbol in an output's shape must be a size of some input; otherwise a user could not know it. */
static int
sizes_check(const struct check *c, const struct ir_value *output, const bool known[SYM_MAX])
{
	int k, s;

	for (k = 0; k < output->shape.rank; k++)
		for (s = 0; s < SYM_MAX; s++)
			if (output->shape.dim[k].pow[s] && !known[s])
				return err_set(c->e, E_INTERNAL,
					       "the output '%s' has the size '%s', which no input has",
					       output->name, symbol_name((enum symbol)s));
	return 0;
}

static int
outputs_check(const struct check *c)
{
	const struct ir_value *v;
	bool known[SYM_MAX] = {false};
	size_t i, j;
	int k, s, r = 0;

	known[SYM_VECTORS] = true; /* its size is that of the output */
	if (!c->g->output)
		return err_set(c->e, E_INTERNAL, "graph '%s' has no output", c->g->name);
	for (i = 0; i < c->g->n_value; i++)
		for (k = 0; c->g->value[i]->kind == IR_INPUT && k < c->g->value[i]->shape.rank; k++)
			for (s = 0; s < SYM_MAX; s++)
				known[s] |= c->g->value[i]->shape.dim[k].pow[s] > 0;
	for (i = 0; r == 0 && (v = graph_output(c->g, i)); i++) {
		for (j = 0; j < i; j++)
			if (graph_output(c->g, j) == v)
				return err_set(c->e, E_INTERNAL, "the output '%s' is listed twice", v->name);
		if (i && v->kind != IR_RESULT)
			return err_set(c->e, E_INTERNAL, "no node makes the output '%s'", v->name);
		r = sizes_check(c, v, known);
	}
	return r;
}

int
graph_check(const struct ir_graph *g, struct err *e)
{
	_cleanup_free_ bool *made = calloc(g->n_value + 1, sizeof(*made));
	_cleanup_free_ bool *used = calloc(g->n_value + 1, sizeof(*used));
	struct check c = {.g = g, .made = made, .used = used, .e = e};
	size_t i;
	int r;

	if (!made || !used)
		return err_no_memory(e);
	for (i = 0; i < g->n_value; i++)
		made[i] = g->value[i]->kind != IR_RESULT;
	r = outputs_check(&c);
	if (r == 0)
		r = names_check(&c);
	if (r == 0)
		r = block_check(&c, &g->block);
	for (i = 0; r == 0 && graph_output(g, i); i++)
		r = use(&c, graph_output(g, i), "the output");
	for (i = 0; r == 0 && i < g->n_value; i++)
		if (!used[i])
			r = err_set(e, E_INTERNAL, "'%s' is made and never used", g->value[i]->name);
	return r;
}
