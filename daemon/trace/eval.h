/*
 * Computes the nodes of a graph with libtorch, under given sizes of the symbols.
 *
 * After every node libtorch's shape is compared with the symbolic one, so that a size that
 * was baked in is found at the node, not at a user's. A weight is cast at the node that uses
 * it and a result is freed after its last use: host memory stays near one layer.
 */
#ifndef TRACE_EVAL_H
#define TRACE_EVAL_H

#include "graph/graph.h"
#include "torch/shim.h"

struct eval;

/* Called after each node of the main block: how many of how many are done. Not 0: stop with E_CANCELLED. */
typedef int (*eval_progress_fn)(void *arg, size_t done, size_t total, const struct ir_node *n);

int eval_new(const struct ir_graph *g, enum tt_device device, const struct sizes *sizes, struct eval **ret,
	     struct err *e);
void eval_free(struct eval **ev);

/* Row-major elements of an input, which the caller keeps until eval_free(). NULL on the meta device. */
int eval_feed(struct eval *ev, const struct ir_value *input, const void *data, struct err *e);

/* One node whose inputs are there. Used while a trace grows; keeps every result. */
int eval_node(struct eval *ev, const struct ir_node *n, struct err *e);

/* All of the graph; results but the output are freed as they go out of use. */
int eval_run(struct eval *ev, eval_progress_fn progress, void *arg, struct err *e);

/* The bytes of a result, row-major; `len` must be just enough. */
int eval_read(const struct eval *ev, const struct ir_value *v, void *ret, size_t len, struct err *e);

#endif
