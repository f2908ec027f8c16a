/*
 * Computes the nodes of a graph with libtorch, under given sizes of the symbols.
 *
 * After every node the shape that libtorch computed is compared with the symbolic one: a size that was baked into the graph
 * is found here, with the name of the node. A weight is converted at the node that uses it, and a result is freed after its
 * last use, so memory stays near the size of one layer.
 */
#ifndef TRACE_EVAL_H
#define TRACE_EVAL_H

#include "graph/graph.h"
#include "torch/shim.h"

struct eval;

/*
 * Called after each node of the main block with the number of nodes done and their total. A nonzero return
 * stops the run with E_CANCELLED.
 */
typedef int (*eval_progress_fn)(void *arg, size_t done, size_t total, const struct ir_node *n);

int eval_new(const struct ir_graph *g, enum tt_device device, const struct sizes *sizes, struct eval **ret,
	     struct err *e);
void eval_free(struct eval **ev);

/* Row-major elements of an input, which the caller keeps until eval_free(). NULL on the meta device. */
int eval_feed(struct eval *ev, const struct ir_value *input, const void *data, struct err *e);

/* Computes one node; its inputs must have been computed or fed. A trace uses this for each new node, and keeps every result. */
int eval_node(struct eval *ev, const struct ir_node *n, struct err *e);

/* Computes the whole graph. A result is freed after its last use, except the output. */
int eval_run(struct eval *ev, eval_progress_fn progress, void *arg, struct err *e);

/* Copies the elements of a result, row-major. `len` must be their exact size in bytes. */
int eval_read(const struct eval *ev, const struct ir_value *v, void *ret, size_t len, struct err *e);

#endif
