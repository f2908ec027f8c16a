/*
 * Computes graphs together, so that each weight is read and converted once for all of them.
 *
 * A conversion's reference computes two graphs, text and image, on a dozen cases. On its own each would convert every
 * weight again, which for short rows takes longer than the products. Here each graph advances to its next node with
 * weights; those whose node has the same op and the same weights then compute it together. A matrix product is one
 * product over the rows of all of them.
 */
#ifndef TRACE_LOCKSTEP_H
#define TRACE_LOCKSTEP_H

#include "eval.h"

/*
 * Called after each node of a graph, whose index is `which`, while its result can be read: how many nodes of how many are
 * done. An error stops the run.
 */
typedef int (*lockstep_watch_fn)(void *arg, size_t which, size_t done, size_t total, const struct ir_node *n,
				 struct err *e);

/* All `n` are on one device, and fed. On failure *ret_which is the graph whose node failed. */
int lockstep_run(struct eval *const *ev, size_t n, lockstep_watch_fn watch, void *arg, size_t *ret_which,
		 struct err *e);

#endif
