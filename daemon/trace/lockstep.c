#include "lockstep.h"

struct lockstep {
	struct eval *const *ev;
	size_t n;
	size_t *group; /* the graphs that compute a node together */
	size_t n_group;
	lockstep_watch_fn watch;
	void *arg;
	size_t done, total;
	size_t which; /* the graph at work */
};

static bool
node_has_weights(const struct ir_node *n)
{
	int i;

	for (i = 0; i < n->n_in; i++)
		if (n->in[i]->kind == IR_WEIGHT)
			return true;
	return false;
}

/* The same op on the same weights. A node with a constant beside its weights is computed alone. */
static bool
nodes_share(const struct ir_node *a, const struct ir_node *b)
{
	const struct ir_value *x, *y;
	int i;

	if (a->op != b->op || a->n_in != b->n_in)
		return false;
	for (i = 0; i < a->n_in; i++) {
		x = a->in[i];
		y = b->in[i];
		if (x->kind == IR_WEIGHT && y->kind == IR_WEIGHT) {
			if (x->weight != y->weight || x->transform != y->transform ||
			    !shape_eq(&x->shape, &y->shape))
				return false;
		} else if (eval_is_stored(x) || eval_is_stored(y)) {
			return false;
		}
	}
	return true;
}

static int
node_done(struct lockstep *l, const struct ir_node *n, struct err *e)
{
	l->done++;
	return l->watch ? l->watch(l->arg, l->which, l->done, l->total, n, e) : 0;
}

/* Computes the nodes without weights that come next in one graph. */
static int
advance(struct lockstep *l, size_t which, struct err *e)
{
	struct eval *ev = l->ev[which];
	struct tt *made[IR_IN_MAX];
	const struct ir_node *n;
	int r = 0;

	l->which = which;
	while (r == 0 && (n = eval_next(ev)) && !node_has_weights(n)) {
		memset(made, 0, sizeof(made));
		r = eval_stored_make(ev, n, made, e);
		if (r == 0)
			r = eval_step(ev, made, e);
		eval_stored_free(made);
		if (r == 0)
			r = node_done(l, n, e);
	}
	return r;
}

/*
 * The group to compute next: the graphs that share a node with the one that has most nodes left. A short graph so waits
 * for a long one until they come to the same layers.
 */
static void
group_choose(struct lockstep *l)
{
	const struct ir_node *lead;
	size_t i, most = 0;

	for (i = 1; i < l->n; i++)
		if (eval_nodes_left(l->ev[i]) > eval_nodes_left(l->ev[most]))
			most = i;
	lead = eval_next(l->ev[most]);
	l->n_group = 0;
	for (i = 0; lead && i < l->n; i++)
		if (i == most || (eval_next(l->ev[i]) && nodes_share(lead, eval_next(l->ev[i]))))
			l->group[l->n_group++] = i;
}

/* One matrix product for the rows of all graphs of the group. */
static int
linear_run(struct lockstep *l, struct tt *const made[IR_IN_MAX], struct err *e)
{
	_cleanup_free_ const struct tt **in = calloc(l->n_group, sizeof(*in));
	_cleanup_free_ struct tt **out = calloc(l->n_group, sizeof(*out));
	const struct ir_node *n;
	struct eval *ev;
	size_t i;
	int r;

	if (!in || !out)
		return err_no_memory(e);
	for (i = 0; i < l->n_group; i++)
		in[i] = eval_input(l->ev[l->group[i]], 0);
	r = tt_linear_rows(in, l->n_group, made[1], made[2], out, e);
	for (i = 0; r == 0 && i < l->n_group; i++) {
		l->which = l->group[i];
		ev = l->ev[l->which];
		n = eval_next(ev);
		r = eval_step_take(ev, TAKE(out[i]), e);
		if (r == 0)
			r = node_done(l, n, e);
	}
	for (i = 0; i < l->n_group; i++)
		tt_free(&out[i]);
	return r;
}

static int
group_run(struct lockstep *l, struct err *e)
{
	const struct ir_node *n = eval_next(l->ev[l->group[0]]);
	const bool product = n->op == OP_LINEAR && !eval_is_stored(n->in[0]) && eval_is_stored(n->in[1]);
	struct tt *made[IR_IN_MAX] = {NULL};
	size_t i;
	int r;

	l->which = l->group[0];
	r = eval_stored_make(l->ev[l->which], n, made, e);
	/* A table of embeddings stays as it is stored: few of its rows are looked up. */
	for (i = 0; r == 0 && n->op != OP_GATHER && i < IR_IN_MAX; i++)
		if (made[i])
			r = tt_convert(&made[i], e);
	if (r == 0 && product)
		r = linear_run(l, made, e);
	for (i = 0; r == 0 && !product && i < l->n_group; i++) {
		l->which = l->group[i];
		n = eval_next(l->ev[l->which]);
		r = eval_step(l->ev[l->which], made, e);
		if (r == 0)
			r = node_done(l, n, e);
	}
	eval_stored_free(made);
	return r;
}

int
lockstep_run(struct eval *const *ev, size_t n, lockstep_watch_fn watch, void *arg, size_t *ret_which,
	     struct err *e)
{
	_cleanup_free_ size_t *group = calloc(n + 1, sizeof(*group));
	struct lockstep l = {.ev = ev, .n = n, .group = group, .watch = watch, .arg = arg};
	size_t i;
	int r = group ? 0 : err_no_memory(e);

	for (i = 0; r == 0 && i < n; i++) {
		r = eval_begin(ev[i], e);
		l.total += eval_nodes_left(ev[i]);
	}
	while (r == 0) {
		for (i = 0; r == 0 && i < n; i++)
			r = advance(&l, i, e);
		if (r == 0)
			group_choose(&l);
		if (r < 0 || l.n_group == 0)
			break;
		r = group_run(&l, e);
	}
	*ret_which = l.which;
	return r;
}
