/*
 * Adapters of several tasks in one graph: their factors stay beside the weights of the base, and each row of a call
 * says in the input `task` (spec/manifest.h) whose factors it gets.
 *
 *	y = x W^T + b + only(x A^T) B^T
 *
 * A [ranks, in] and B [out, ranks] hold the factors of all tasks, one behind the other (checkpoint/adapter.h); only()
 * leaves the ranks of the row's task and makes the others 0. So the matrices are constants of two ordinary products,
 * rows of one call may have different tasks, and no factor is copied when the graph runs.
 */
#ifndef MODEL_TASKS_H
#define MODEL_TASKS_H

#include "blocks.h"
#include "spec/manifest.h"

#define TASKS_MASKS_MAX 16 /* ways in which the ranks of a weight are divided among the tasks */

struct tasks {
	struct ir_value *row; /* int64 [batch, 1, 1] */
	struct {
		const struct ir_value *owner; /* table int64 [ranks]: the task of each rank */
		struct ir_value *own;         /* bool [batch, 1, ranks]: it is the row's */
	} mask[TASKS_MASKS_MAX];
	int n_mask;
};

/* Declares the input, int64 [batch]. The call fails unless each task is in 0..count-1. */
void tasks_begin(struct trace *t, int64_t count, struct tasks *ret);

/* blk_linear() of x [batch, sequence, in] with the factors of that weight, if it has any. `tasks` may be NULL. */
struct ir_value *tasks_linear(struct trace *t, struct tasks *tasks, struct ir_value *x, int64_t out,
			      enum blk_bias bias, const char *name, const char *fmt, ...) _printf_(7, 8);

#endif
