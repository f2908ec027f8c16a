/*
 * The functions that model authors write with. Each tr_* call is one op on values: libtorch computes its
 * shape on the meta device (no weight is read), and the op is recorded as a node of the graph.
 *
 * A trace remembers its first failure, and every later call does nothing. So a model file needs no error
 * checks, and trace_finish() returns the failure with the name of the value. After a failure the functions
 * return a placeholder, which may be passed to further calls but has no shape.
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "checkpoint/checkpoint.h"
#include "graph/graph.h"

struct trace;

/*
 * Sizes should be small, distinct, and different from the model's own sizes. The checkpoint must outlive
 * the graph. Without a checkpoint (NULL) any weight can be used; it has a shape but no values, so the graph
 * then shows which weights the model needs.
 */
int trace_new(const char *graph, const struct checkpoint *ck, const struct sizes *sizes, struct trace **ret,
	      struct err *e);
void trace_free(struct trace **t);

/* For a program that takes graphs of one output: tr_output() then does nothing. */
void trace_one_output(struct trace *t);

/* Ends the trace: calls the first output `name`, drops what nothing uses, and hands the checked graph over. */
int trace_finish(struct trace *t, struct ir_value *output, const char *name, struct ir_graph **ret,
		 struct err *e);

/* Makes a result an output beside the one that trace_finish() gets, and names it. Outputs have the order of the calls. */
void tr_output(struct trace *t, struct ir_value *v, const char *name);

/* Records a failure that a model finds itself, such as a configuration that cannot work. */
void tr_fail(struct trace *t, int code, const char *fmt, ...) _printf_(3, 4);

/* Sets a prefix for the names of the nodes that follow: "lm.12.attn" gives "lm.12.attn.q". "" ends it. */
void tr_scope(struct trace *t, const char *fmt, ...) _printf_(2, 3);

/* Renames a result; the scope's prefix goes before the name. Returns v. */
struct ir_value *tr_name(struct trace *t, struct ir_value *v, const char *fmt, ...) _printf_(3, 4);

struct ir_value *tr_input(struct trace *t, const char *name, enum elem elem, struct shape shape);

/* A picture does not give that input: a graph that takes one has this input beside it. */
void tr_from_caller(struct trace *t, struct ir_value *input);

/* The checkpoint's weight of that name; NULL if it has none, and in a trace without a checkpoint. */
const struct weight *tr_weight_find(const struct trace *t, const char *fmt, ...) _printf_(2, 3);

/*
 * A weight by its canonical name. Its shape on disk must be `shape`; with tr_weight_as it must be `stored`,
 * which has the same number of elements.
 */
struct ir_value *tr_weight(struct trace *t, struct shape shape, const char *fmt, ...) _printf_(3, 4);
struct ir_value *tr_weight_plus_one(struct trace *t, struct shape shape, const char *fmt, ...) _printf_(3, 4);
struct ir_value *tr_weight_as(struct trace *t, struct shape shape, struct shape stored, const char *fmt, ...)
	_printf_(4, 5);

/* Constants; equal ones are one value. */
struct ir_value *tr_i64(struct trace *t, int64_t n);
struct ir_value *tr_f32(struct trace *t, double x);
struct ir_value *tr_table(struct trace *t, const char *name, struct shape shape, const float *data);
struct ir_value *tr_table_i64(struct trace *t, const char *name, struct shape shape, const int64_t *data);

/* The ops of graph/ops.def. */
struct ir_value *tr_linear(struct trace *t, struct ir_value *x, struct ir_value *w,
			   struct ir_value *b); /* b or NULL */
struct ir_value *tr_gather(struct trace *t, struct ir_value *table, struct ir_value *ids);
struct ir_value *tr_rms_norm(struct trace *t, struct ir_value *x, struct ir_value *w, double eps);
struct ir_value *tr_layer_norm(struct trace *t, struct ir_value *x, struct ir_value *w, struct ir_value *b,
			       double eps); /* b or NULL */
struct ir_value *tr_rope(struct trace *t, struct ir_value *x, struct ir_value *cos, struct ir_value *sin);
struct ir_value *tr_attention(struct trace *t, struct ir_value *q, struct ir_value *k, struct ir_value *v,
			      struct ir_value *mask, enum ir_mask kind, double scale); /* mask or NULL */
struct ir_value *tr_l2_normalize(struct trace *t, struct ir_value *x);
struct ir_value *tr_l2_normalize_eps(struct trace *t, struct ir_value *x, double eps);
struct ir_value *tr_softmax(struct trace *t, struct ir_value *x);
struct ir_value *tr_causal_conv(struct trace *t, struct ir_value *x, struct ir_value *w);
struct ir_value *tr_delta_rule(struct trace *t, struct ir_value *q, struct ir_value *k, struct ir_value *v,
			       struct ir_value *decay, struct ir_value *beta, double scale);
struct ir_value *tr_silu(struct trace *t, struct ir_value *x);
struct ir_value *tr_gelu(struct trace *t, struct ir_value *x);
struct ir_value *tr_gelu_tanh(struct trace *t, struct ir_value *x);
struct ir_value *tr_quick_gelu(struct trace *t, struct ir_value *x);
struct ir_value *tr_sigmoid(struct trace *t, struct ir_value *x);
struct ir_value *tr_softplus(struct trace *t, struct ir_value *x);
struct ir_value *tr_exp(struct trace *t, struct ir_value *x);
struct ir_value *tr_cos(struct trace *t, struct ir_value *x);
struct ir_value *tr_sin(struct trace *t, struct ir_value *x);
struct ir_value *tr_add(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_sub(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_mul(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_div(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_mod(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_min(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_max(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_equal(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_less(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_and(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_or(struct trace *t, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_not(struct trace *t, struct ir_value *x);
struct ir_value *tr_where(struct trace *t, struct ir_value *cond, struct ir_value *a, struct ir_value *b);
struct ir_value *tr_cast(struct trace *t, struct ir_value *x, enum elem elem);
struct ir_value *tr_reshape(struct trace *t, struct ir_value *x, struct shape shape);
struct ir_value *tr_transpose(struct trace *t, struct ir_value *x,
			      const int *perm);                        /* as many as x has axes */
struct ir_value *tr_concat(struct trace *t, int axis, int count, ...); /* count values */
struct ir_value *tr_slice(struct trace *t, struct ir_value *x, int axis, int64_t begin, int64_t end);
struct ir_value *tr_size(struct trace *t, struct dim size);
struct ir_value *tr_iota(struct trace *t, struct dim count);
struct ir_value *tr_cumsum(struct trace *t, struct ir_value *x, int axis);
struct ir_value *tr_sum(struct trace *t, struct ir_value *x, int axis);
struct ir_value *tr_shift(struct trace *t, struct ir_value *x, int axis);
struct ir_value *tr_any(struct trace *t, struct ir_value *x);
struct ir_value *tr_check(struct trace *t, struct ir_value *x, struct ir_value *wrong);

/* One branch of tr_if: may use any value made before. */
typedef struct ir_value *(*tr_branch_fn)(struct trace *t, const void *arg);

struct ir_value *tr_if(struct trace *t, struct ir_value *cond, tr_branch_fn then_fn, tr_branch_fn else_fn,
		       const void *arg);

/* The same for the output of a graph: the branches may give different numbers of vectors, on axis 1. */
struct ir_value *tr_if_vectors(struct trace *t, struct ir_value *cond, tr_branch_fn then_fn,
			       tr_branch_fn else_fn, const void *arg);

#endif
