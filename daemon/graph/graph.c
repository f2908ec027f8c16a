#include "graph.h"

#include "arena.h"

static const struct ir_op_info ops[] = {
#define OP(sym, name, min, max, rule, precision, help) {#name, min, max, help},
#include "ops.def"
#undef OP
};

_Static_assert(ARRAY_LEN(ops) == OP_COUNT, "a row for each op");

const struct ir_op_info *
ir_op_info(enum ir_op op)
{
	return &ops[op];
}

int
graph_new(const char *name, struct ir_graph **ret, struct err *e)
{
	struct ir_graph *g = calloc(1, sizeof(*g));

	if (g)
		g->arena = arena_new();
	if (g && g->arena)
		g->name = graph_strdup(g, name);
	if (!g || !g->name) {
		graph_free(&g);
		return err_set(e, E_NO_MEMORY, "memory ran out for a graph");
	}
	*ret = g;
	return 0;
}

void
graph_free(struct ir_graph **g)
{
	if (!*g)
		return;
	arena_free(&(*g)->arena);
	free(*g);
	*g = NULL;
}

struct ir_value *
graph_output(const struct ir_graph *g, size_t i)
{
	if (i == 0)
		return g->output;
	return i <= g->n_beside ? g->beside[i - 1] : NULL;
}

char *
graph_strdup(struct ir_graph *g, const char *s)
{
	return graph_memdup(g, s, strlen(s) + 1);
}

void *
graph_memdup(struct ir_graph *g, const void *data, size_t len)
{
	void *p = arena_alloc(g->arena, len);

	return p ? memcpy(p, data, len) : NULL;
}

/* Makes room for one more pointer. The old array stays in the arena until the graph is freed. */
static bool
array_grow(struct ir_graph *g, void ***array, size_t n, size_t *cap)
{
	size_t want = *cap ? *cap * 2 : 64;
	void **p;

	if (n < *cap)
		return true;
	p = arena_alloc(g->arena, want * sizeof(*p));
	if (!p)
		return false;
	if (n)
		memcpy(p, *array, n * sizeof(*p));
	*array = p;
	*cap = want;
	return true;
}

struct ir_value *
graph_value_add(struct ir_graph *g, enum ir_kind kind, enum elem elem, const struct shape *shape,
		const char *name)
{
	struct ir_value *v = arena_alloc(g->arena, sizeof(*v));

	if (!v || !array_grow(g, (void ***)&g->value, g->n_value, &g->cap_value))
		return NULL;
	v->id = (uint32_t)g->n_value;
	v->kind = kind;
	v->elem = elem;
	v->shape = *shape;
	v->name = graph_strdup(g, name);
	if (!v->name)
		return NULL;
	g->value[g->n_value++] = v;
	return v;
}

struct ir_node *
graph_node_add(struct ir_graph *g, struct ir_block *b, enum ir_op op, struct ir_value *const *in, int n_in,
	       const struct ir_attr *attr)
{
	struct ir_node *n = arena_alloc(g->arena, sizeof(*n));
	int i;

	assert(n_in <= IR_IN_MAX);
	if (!n || !array_grow(g, (void ***)&b->node, b->n, &b->cap))
		return NULL;
	n->op = op;
	n->n_in = n_in;
	for (i = 0; i < n_in; i++)
		n->in[i] = in[i];
	if (attr)
		n->attr = *attr;
	b->node[b->n++] = n;
	return n;
}

struct ir_block *
graph_block_add(struct ir_graph *g)
{
	return arena_alloc(g->arena, sizeof(struct ir_block));
}
