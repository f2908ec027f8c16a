/*
 * A pattern is compiled to a graph of instructions. Each instruction knows its successor (x; SPLIT has two,
 * x and y):
 *
 *	SET      matches one byte of a set            ASSERT   matches a position in the text, such as its end
 *	SPLIT    either successor may match           LOOK     matches where its lookahead holds
 *	MATCH    the end of the pattern, or of one lookahead
 *
 * An instruction is "on" at position i when the text from byte i on can be matched starting with it. The
 * instructions that are on at i follow from those on at i + 1. So the matcher walks over the text once,
 * from its end to its beginning, and follows the edges of the graph backwards. The pattern matches when its
 * first instruction is on at position 0. A lookahead is a graph of its own. Its walk marks the positions
 * where it holds, and runs before the walk of the graph that contains it.
 */
#include "pattern.h"

#include "pattern_private.h"

#define LOOKS_MAX 64

enum op { OP_SET, OP_SPLIT, OP_ASSERT, OP_LOOK, OP_MATCH };

struct inst {
	enum op op;
	int x, y;
	int arg; /* index of the set or of the lookahead, or an enum pattern_assert */
	bool negative;
};

/* The predecessors of an instruction: a range in a list of all. */
struct before {
	int begin, end;
};

struct look {
	int first, match;
};

struct pattern {
	struct inst *inst;
	int n, cap;
	struct pattern_set *set;
	struct before *before;
	int *edge;
	struct look look[LOOKS_MAX + 1]; /* inner ones first; the last is the whole pattern */
	int looks;
};

/* --- compiling: from the tree to the graph, from the end of the pattern to its beginning --- */

static int
too_large(struct err *e)
{
	return err_set(e, E_BAD_CHECKPOINT, "the pattern is too large: more than %u steps, or %d lookaheads",
		       PROGRAM_LEN_MAX, LOOKS_MAX);
}

struct compiler {
	struct pattern *p;
	const struct pattern_tree *t;
	unsigned calls; /* each call adds an instruction, or handles a node that has none */
	struct err *e;
};

static int
inst_add(struct compiler *c, struct inst inst)
{
	struct pattern *p = c->p;
	struct inst *bigger;

	if (p->n == (int)PROGRAM_LEN_MAX)
		return too_large(c->e);
	if (p->n == p->cap) {
		p->cap = MAX(32, 2 * p->cap);
		bigger = realloc(p->inst, (size_t)p->cap * sizeof(*bigger));
		if (!bigger)
			return err_no_memory(c->e);
		p->inst = bigger;
	}
	p->inst[p->n] = inst;
	return p->n++;
}

static int node_emit(struct compiler *c, int node, int next);

static int
split_add(struct compiler *c, int x, int y)
{
	return x < 0 ? x : y < 0 ? y : inst_add(c, (struct inst){.op = OP_SPLIT, .x = x, .y = y});
}

static int
repeat_emit(struct compiler *c, const struct pattern_node *n, int next)
{
	int at = next, body, i;

	if (n->max == PATTERN_INFINITE) {
		at = split_add(c, next, next);
		body = at < 0 ? at : node_emit(c, n->a, at);
		if (body < 0)
			return body;
		c->p->inst[at].x = body;
	}
	for (i = n->min; i < n->max && at >= 0; i++)
		at = split_add(c, node_emit(c, n->a, at), next);
	for (i = 0; i < n->min && at >= 0; i++)
		at = node_emit(c, n->a, at);
	return at;
}

static int
look_emit(struct compiler *c, const struct pattern_node *n, int next)
{
	struct look look;

	look.match = inst_add(c, (struct inst){.op = OP_MATCH});
	look.first = look.match < 0 ? look.match : node_emit(c, n->a, look.match);
	if (look.first < 0)
		return look.first;
	if (c->p->looks == LOOKS_MAX)
		return too_large(c->e);
	c->p->look[c->p->looks] = look;
	return inst_add(c, (struct inst){.op = OP_LOOK, .x = next, .arg = c->p->looks++, .negative = n->b});
}

/* Compiles a node whose successor is `next`. Returns its first instruction, or an error. */
static int
node_emit(struct compiler *c, int node, int next)
{
	const struct pattern_node *n = &c->t->node[node];
	int first;

	if (next < 0)
		return next;
	if (++c->calls > 4 * PROGRAM_LEN_MAX)
		return too_large(c->e);
	switch (n->kind) {
	case NODE_EMPTY:
		return next;
	case NODE_SET:
		return inst_add(c, (struct inst){.op = OP_SET, .x = next, .arg = n->a});
	case NODE_CAT:
		return node_emit(c, n->a, node_emit(c, n->b, next));
	case NODE_ALT:
		first = node_emit(c, n->a, next);
		return split_add(c, first, node_emit(c, n->b, next));
	case NODE_REPEAT:
		return repeat_emit(c, n, next);
	case NODE_ASSERT:
		return inst_add(c, (struct inst){.op = OP_ASSERT, .x = next, .arg = n->a});
	case NODE_LOOK:
		return look_emit(c, n, next);
	}
	return E_INTERNAL; /* can't happen: the parser makes no other kind */
}

/* Builds the reversed edges. */
static int
edges_make(struct pattern *p, struct err *e)
{
	int i, k, at = 0;

	p->before = calloc((size_t)p->n + 1, sizeof(*p->before));
	p->edge = calloc(2 * (size_t)p->n + 1, sizeof(*p->edge));
	if (!p->before || !p->edge)
		return err_no_memory(e);
	for (i = 0; i < p->n; i++) {
		p->before[p->inst[i].x].end += p->inst[i].op != OP_MATCH;
		p->before[p->inst[i].y].end += p->inst[i].op == OP_SPLIT;
	}
	for (i = 0; i < p->n; i++) {
		k = p->before[i].end;
		p->before[i].begin = p->before[i].end = at;
		at += k;
	}
	for (i = 0; i < p->n; i++) {
		if (p->inst[i].op != OP_MATCH)
			p->edge[p->before[p->inst[i].x].end++] = i;
		if (p->inst[i].op == OP_SPLIT)
			p->edge[p->before[p->inst[i].y].end++] = i;
	}
	return 0;
}

static int
compile(struct pattern *p, const struct pattern_tree *t, struct err *e)
{
	struct compiler c = {.p = p, .t = t, .e = e};
	struct look *whole;
	int match = inst_add(&c, (struct inst){.op = OP_MATCH}), first = node_emit(&c, t->root, match);

	if (first < 0)
		return first;
	whole = &p->look[p->looks++];
	whole->match = match;
	whole->first = first;
	return edges_make(p, e);
}

int
pattern_new(const char *text, struct pattern **ret, struct err *e)
{
	struct pattern_tree t = {.node = NULL};
	struct pattern *p = NULL;
	int r = pattern_parse(text, &t, e);

	if (r < 0)
		return r;
	p = calloc(1, sizeof(*p));
	r = p ? compile(p, &t, e) : err_no_memory(e);
	if (p)
		p->set = TAKE(t.set);
	pattern_tree_release(&t);
	if (r < 0)
		pattern_free(&p);
	else
		*ret = p;
	return r;
}

void
pattern_free(struct pattern **pp)
{
	struct pattern *p = *pp;

	if (!p)
		return;
	free(p->inst);
	free(p->set);
	free(p->before);
	free(p->edge);
	free(p);
	*pp = NULL;
}

size_t
pattern_size(const struct pattern *p)
{
	return (size_t)p->n;
}

/* --- matching --- */

/* Instructions that are on at one position. `at[i]` is the last position where i was switched on. */
struct walk {
	const struct pattern *p;
	const char *text;
	int len;
	int *at, *list, *last; /* `list` is on at this position, `last` at the next one */
	int n, n_last;
	bool *held; /* whether lookahead k holds at position i: [k * (len + 1) + i] */
	uint64_t steps;
};

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

static bool
assert_holds(const struct walk *w, enum pattern_assert kind, int i)
{
	const bool word_before = i > 0 && is_word(w->text[i - 1]), word_after = is_word(w->text[i]);

	switch (kind) {
	case ASSERT_BEGIN:
		return i == 0;
	case ASSERT_END:
		return i == w->len || (i == w->len - 1 && w->text[i] == '\n');
	case ASSERT_VERY_END:
		return i == w->len;
	case ASSERT_WORD:
		return word_before != word_after;
	case ASSERT_NO_WORD:
		return w->len > 0 && word_before == word_after;
	}
	return false;
}

static void
put_on(struct walk *w, int inst, int i)
{
	if (w->at[inst] == i)
		return;
	w->at[inst] = i;
	w->list[w->n++] = inst;
}

/* Switches on the predecessors that need no byte to reach an instruction that is on at i. */
static void
spread(struct walk *w, int i)
{
	const struct pattern *p = w->p;
	const struct inst *inst;
	int k, at;

	for (k = 0; k < w->n; k++)
		for (at = p->before[w->list[k]].begin; at < p->before[w->list[k]].end; at++, w->steps++) {
			inst = &p->inst[p->edge[at]];
			if (inst->op == OP_SPLIT ||
			    (inst->op == OP_ASSERT && assert_holds(w, (enum pattern_assert)inst->arg, i)) ||
			    (inst->op == OP_LOOK && w->held[inst->arg * (w->len + 1) + i] != inst->negative))
				put_on(w, p->edge[at], i);
		}
}

/* Switches on the instructions whose byte at i leads to an instruction that is on at i + 1. */
static void
step(struct walk *w, int i)
{
	const struct pattern *p = w->p;
	const struct inst *inst;
	int k, at;

	for (k = 0; k < w->n_last; k++)
		for (at = p->before[w->last[k]].begin; at < p->before[w->last[k]].end; at++, w->steps++) {
			inst = &p->inst[p->edge[at]];
			if (inst->op == OP_SET &&
			    pattern_set_has(&p->set[inst->arg], (unsigned char)w->text[i]))
				put_on(w, p->edge[at], i);
		}
}

/* Fills w->held for lookahead k. False when the work exceeds the budget. */
static bool
walk(struct walk *w, int k, uint64_t budget)
{
	const struct look *look = &w->p->look[k];
	int i, *swap;

	memset(w->at, 0xff, (size_t)w->p->n * sizeof(*w->at));
	w->steps += (uint64_t)w->p->n;
	w->n = w->n_last = 0;
	for (i = w->len; i >= 0 && w->steps <= budget; i--, w->steps++) {
		put_on(w, look->match, i);
		step(w, i);
		spread(w, i);
		w->held[k * (w->len + 1) + i] = w->at[look->first] == i;
		swap = w->last;
		w->last = w->list;
		w->list = swap;
		w->n_last = w->n;
		w->n = 0;
	}
	return i < 0;
}

static int
text_check(const char *text, struct err *e)
{
	const char *s;

	for (s = text; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return err_set(e, E_BAD_CHECKPOINT, "the name '%.100s' has non-ASCII characters",
				       text);
	return 0;
}

int
pattern_match(const struct pattern *p, const char *text, uint64_t *budget, struct err *e)
{
	struct walk w = {.p = p, .text = text, .len = (int)strlen(text)};
	const size_t places = (size_t)w.len + 1;
	_cleanup_free_ int *lists = calloc(3 * (size_t)p->n, sizeof(*lists));
	_cleanup_free_ bool *held = calloc((size_t)p->looks * places, sizeof(*held));
	int k, r = text_check(text, e);

	if (r < 0)
		return r;
	if (!lists || !held)
		return err_no_memory(e);
	w.at = lists;
	w.list = lists + p->n;
	w.last = lists + 2 * p->n;
	w.held = held;
	for (k = 0; k < p->looks; k++)
		if (!walk(&w, k, *budget))
			return err_set(e, E_BAD_CHECKPOINT, "the pattern takes too long to match");
	*budget -= MIN(*budget, w.steps);
	return held[(size_t)(p->looks - 1) * places];
}
