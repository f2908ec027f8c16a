/*
 * Builds one ONNX graph; the lowerings use it.
 *
 * ONNX values are known by their names, which belong to the graph. The value of an IR node has the IR
 * value's name; intermediate values are "NAME/suffix", and an ONNX node has the name of its first output.
 * emit_op() adds an intermediate node, emit_result() the last node of a lowering; attributes go to the node
 * added last. The first failure is remembered and all later calls do nothing, so lowerings need no error
 * checks.
 */
#ifndef ONNX_EMIT_H
#define ONNX_EMIT_H

#include "extdata.h"
#include "graph/graph.h"
#include "tally.h"

struct emit;
struct emit_branch;

/* The lowering of a whole graph. `packed` receives the file, or its beginning when weights follow. */
struct emit_job {
	const struct ir_graph
		*graph; /* without an output: its inputs, which `front` makes, are the outputs */
	const struct document *front; /* front.h; NULL: the graph takes its own inputs */
	const struct onnx_options *options;
	struct extdata *data;    /* receives the weights that it does not have yet. With options->embed it
                                  * belongs to this graph and becomes the file, and `packed` must outlive
                                  * it */
	const char *const *meta; /* key, value, key, value, ... NULL */
	struct buf packed;
	struct tally tally;
	uint64_t weight_bytes;
	int runtime; /* the oldest ONNX Runtime that runs it (release.h) */
};

int emit_graph(struct emit_job *job, struct err *e);

#define EMIT_NAMES(...) (const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__}))

/* emit_op(em, "scores", "MatMul", a, b): the name of the output, "NAME/scores". */
#define emit_op(em, suffix, type, ...) emit_node(em, suffix, suffix, type, EMIT_NAMES(__VA_ARGS__))
#define emit_result(em, type, ...) emit_node(em, "", "", type, EMIT_NAMES(__VA_ARGS__))

/* Records a failure that a lowering finds, E_EXPORT, unless there was one before. */
void emit_fail(struct emit *em, const char *fmt, ...) _printf_(2, 3);

/* A string that lives as long as the graph. */
const char *emit_format(struct emit *em, const char *fmt, ...) _printf_(2, 3);

/* Names the node and its output separately, for a lowering whose main node is not its last one. */
const char *emit_node(struct emit *em, const char *suffix_node, const char *suffix_out, const char *type,
		      const char *const *in, size_t n_in);
const char *emit_output(struct emit *em, const char *suffix); /* one more output of the node added last */

void emit_domain(struct emit *em, const char *domain); /* for the node added last; the default is ONNX's
                                                        * domain */

void emit_attr_int(struct emit *em, const char *name, int64_t i);
void emit_attr_ints(struct emit *em, const char *name, size_t n, const int64_t *i);
void emit_attr_float(struct emit *em, const char *name, double f);
void emit_attr_string(struct emit *em, const char *name, const char *s);
void emit_attr_elem(struct emit *em, const char *name, enum elem elem); /* the ONNX number of the type */
void emit_attr_branch(struct emit *em, const char *name, struct emit_branch *b);

/* Emits the nodes of a block, for emit_attr_branch(). */
struct emit_branch *emit_branch(struct emit *em, const char *suffix, const struct ir_block *b);

/*
 * A body that a lowering writes itself: the nodes that are added between begin and end. Its inputs and its outputs are in the order
 * of the calls; an output must be made by a node of the body. float32 means the precision at hand.
 */
struct emit_branch *emit_body_begin(struct emit *em);
const char *emit_body_input(struct emit *em, struct emit_branch *b, const char *suffix, enum elem elem,
			    struct shape shape);
void emit_body_output(struct emit *em, struct emit_branch *b, const char *name, enum elem elem);
void emit_body_end(struct emit *em, struct emit_branch *b, const char *suffix);

/*
 * Returns an input of a lowering, in the precision of its node. Weights and tables become initializers of
 * the graph at their first use.
 */
const char *emit_in(struct emit *em, const struct ir_value *v);

/*
 * For a weight that is stored in another type than it is computed with: the same before the cast. Else NULL.
 */
const char *emit_in_stored(struct emit *em, const struct ir_value *v);

struct rounding_input; /* rounding.h */

/* A weight in 8 bits: names of its initializers. */
struct emit_rounded {
	const char *weight;                 /* int8; a matrix is transposed: [in, out] */
	const char *scale;                  /* float32 [out] of a matrix, [rows, 1] of a table */
	const char *unsmooth;               /* float32 [in]: multiplies the activations; NULL: nothing does */
	const struct rounding_input *input; /* of a matrix */
};

/* False: the weight is not stored in 8 bits. */
bool emit_in_rounded(struct emit *em, const struct ir_value *v, struct emit_rounded *ret);

/* A shape at run time, int64 [rank], of which no size is looked up more than once. */
const char *emit_shape(struct emit *em, const struct shape *s);

/* Returns a matrix, transposed. Weights are stored transposed. */
const char *emit_in_transposed(struct emit *em, const struct ir_value *v);

/*
 * What several lowerings need is made once: from the value v alone, right behind it, with names "V/suffix"; or, without v, from
 * inputs and sizes, before all other nodes, with names "NAME/suffix". make() adds the nodes and returns the name of the last.
 */
typedef const char *(*emit_make_fn)(struct emit *em, const void *arg);
const char *emit_once(struct emit *em, const struct ir_value *v, const char *name, emit_make_fn make,
		      const void *arg);

/*
 * Compute a part of a float16 node in float32. emit_island() returns x as float32; until emit_island_end(), inputs and constants
 * are float32 too; emit_island_end() returns x in float16 again. In a float32 node both return x.
 */
const char *emit_island(struct emit *em, const char *x);
const char *emit_island_end(struct emit *em, const char *x);

/* Adds a table inside the file. `name` NULL: "const.N". Equal tables are stored once. */
const char *emit_table(struct emit *em, const char *name, enum elem elem, size_t n_dims, const int64_t *dims,
		       const void *data);

/* Small constants; equal ones are one initializer. */
const char *emit_i64(struct emit *em, int64_t v);
const char *emit_i64s(struct emit *em, size_t n, const int64_t *v);
const char *emit_f32(struct emit *em, double v);
const char *emit_zeros(struct emit *em, int64_t n); /* float32 [n] */
const char *emit_bool(struct emit *em, bool v);

/* A symbolic size at run time: int64 [1]. Computed once, before all other nodes. */
const char *emit_dim(struct emit *em, struct dim d);

/* int64 0, 1, ... of that size. */
const char *emit_range(struct emit *em, const char *suffix, struct dim d);

#define emit_i64_list(em, ...) \
	emit_i64s(em, ARRAY_LEN(((const int64_t[]){__VA_ARGS__})), (const int64_t[]){__VA_ARGS__})

#endif
