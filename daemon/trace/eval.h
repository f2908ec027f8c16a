/*
 * Computes the nodes of a graph with libtorch, under given sizes of the symbols.
 *
 * After every node the shape that libtorch computed is compared with the symbolic one: a size that was baked into the graph
 * is found here, with the name of the node. A weight is converted at the node that uses it, and a result is freed after its
 * last use, so memory stays near the size of one layer. lockstep.h computes several graphs and converts each weight once.
 */
#ifndef TRACE_EVAL_H
#define TRACE_EVAL_H

#include "graph/graph.h"
#include "torch/shim.h"

struct eval;

int eval_new(const struct ir_graph *g, enum tt_device device, const struct sizes *sizes, struct eval **ret,
	     struct err *e);
void eval_free(struct eval **ev);

/* Row-major elements of an input, which the caller keeps until eval_free(). NULL on the meta device. */
int eval_feed(struct eval *ev, const struct ir_value *input, const void *data, struct err *e);

/* Computes one node; its inputs must have been computed or fed. A trace uses this for each new node, and keeps every result. */
int eval_node(struct eval *ev, const struct ir_node *n, struct err *e);

/* Computes the whole graph. A result is freed after its last use, except the outputs. */
int eval_run(struct eval *ev, struct err *e);

/*
 * The same node by node, for lockstep.c: after eval_begin(), eval_step() computes the next node of the graph's block.
 * `made` has the tensors of those of its inputs that are weights or constants, and NULL for the others.
 */
int eval_begin(struct eval *ev, struct err *e);
size_t eval_nodes_left(const struct eval *ev);
const struct ir_node *eval_next(const struct eval *ev); /* NULL: all are computed */
int eval_step(struct eval *ev, struct tt *const made[IR_IN_MAX], struct err *e);

/* What the next node reads, of an input that is not stored; and a result for it that was computed elsewhere. */
const struct tt *eval_input(const struct eval *ev, int i);
int eval_step_take(struct eval *ev, struct tt *result, struct err *e);

bool eval_is_stored(const struct ir_value *v); /* a weight or a constant */

/* Fills `ret`, which holds NULL, for eval_step(). Free it with eval_stored_free(), on failure too. */
int eval_stored_make(const struct eval *ev, const struct ir_node *n, struct tt *ret[IR_IN_MAX],
		     struct err *e);
void eval_stored_free(struct tt *made[IR_IN_MAX]);

/* The sizes of this run; those that only results have are known after it. */
const struct sizes *eval_sizes(const struct eval *ev);

/* Copies the elements of a result, row-major. `len` must be their exact size in bytes. */
int eval_read(const struct eval *ev, const struct ir_value *v, void *ret, size_t len, struct err *e);

#endif
