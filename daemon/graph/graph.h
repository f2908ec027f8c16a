/*
 * What a trace records: values, the nodes that make them, and blocks of nodes in order.
 *
 * A graph owns all of it, in one arena; pointers stay valid until graph_free(). Weights point
 * into the checkpoint, which must outlive the graph. Every value has a unique name; those of
 * layers say which layer ("lm.12.mlp.gate").
 */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/buf.h"
#include "base/elem.h"
#include "dims.h"

struct weight; /* checkpoint/checkpoint.h */

enum ir_op {
#define OP(sym, ...) OP_##sym,
#include "ops.def"
#undef OP
	OP_COUNT
};

enum ir_kind {
	IR_INPUT,  /* fed by the user */
	IR_WEIGHT, /* a tensor of the checkpoint: `weight` */
	IR_CONST,  /* a small table or scalar of the model: `data` */
	IR_RESULT, /* made by `node` */
};

/* A change to a weight that is made once, when the weight is exported or used in a computation. */
enum ir_transform {
	IR_AS_IS,
	IR_PLUS_ONE, /* 1 + w, in float32 */
};

/*
 * Which keys a query attends to. The result of a query without a visible key is finite and has no meaning: callers mask
 * it.
 */
enum ir_mask {
	IR_MASK_FULL,   /* those of the mask; all where there is no mask */
	IR_MASK_CAUSAL, /* those of a mask [b, t] at or before the query */
};

struct ir_value {
	uint32_t id; /* index in graph->value */
	enum ir_kind kind;
	enum elem elem; /* of the computation; a weight may be stored in another type */
	struct shape shape;
	const char *name;
	struct ir_node *node; /* IR_RESULT */
	bool from_caller;     /* IR_INPUT: also an input of a graph that makes the others from a picture */
	const struct weight *weight; /* IR_WEIGHT; may have another shape with as many elements */
	enum ir_transform transform; /* IR_WEIGHT */
	const void *data;            /* IR_CONST: row-major float, int64_t or bool */
};

struct ir_block {
	struct ir_node **node; /* every node after those that make its inputs */
	size_t n;
	size_t cap;
	struct ir_value *result; /* of a branch of OP_IF; NULL for the graph's own block */
};

struct ir_attr {
	double f;
	int64_t i;
	int axis;
	int64_t begin, end;
	enum elem elem;
	int perm[IR_RANK_MAX];
	struct shape shape;
	struct ir_block *then_block; /* may use all values that were made before the OP_IF */
	struct ir_block *else_block;
};

#define IR_IN_MAX 5

struct ir_node {
	enum ir_op op;
	const char *name; /* the name of its result */
	int n_in;
	struct ir_value *in[IR_IN_MAX];
	struct ir_value *out;
	struct ir_attr attr;
};

#define IR_BESIDE_MAX 4

struct ir_graph {
	const char *name; /* "text", "image", "unified" */
	struct ir_value **value;
	size_t n_value, cap_value;
	struct ir_block block;
	struct ir_value
		*output; /* the embeddings, float32; NULL: the graph gives inputs of another graph instead */
	struct ir_value *beside[IR_BESIDE_MAX]; /* outputs beside it, of any type */
	size_t n_beside;
	struct ir_arena *arena;
};

struct ir_op_info {
	const char *name;
	int in_min, in_max;
	const char *help;
};

const struct ir_op_info *ir_op_info(enum ir_op op);

int graph_new(const char *name, struct ir_graph **ret, struct err *e);
void graph_free(struct ir_graph **g);

/* Each of these returns NULL when memory ran out. */
struct ir_value *graph_value_add(struct ir_graph *g, enum ir_kind kind, enum elem elem,
				 const struct shape *shape, const char *name);
struct ir_node *graph_node_add(struct ir_graph *g, struct ir_block *b, enum ir_op op,
			       struct ir_value *const *in, int n_in, const struct ir_attr *attr);
struct ir_block *graph_block_add(struct ir_graph *g);
/* The outputs in their order, the embeddings first; NULL after the last. */
struct ir_value *graph_output(const struct ir_graph *g, size_t i);

char *graph_strdup(struct ir_graph *g, const char *s);
void *graph_memdup(struct ir_graph *g, const void *data, size_t len);

/* Applies the shape rule of the node's row. E_TRACE with a message when the inputs do not fit. */
int infer_node(const struct ir_node *n, enum elem *ret_elem, struct shape *ret_shape, struct err *e);

/*
 * The graph as text, a line per input and node:
 *
 *	lm.00.mlp.gate = linear(lm.00.mlp.norm, lm.layers.0.mlp.gate_proj.weight)    f32 [batch, sequence, 8960]
 */
void graph_dump(const struct ir_graph *g, struct buf *b);

/*
 * Checks the rules for every graph: a value is made before it is used; names are unique; every value but the outputs is
 * used; each size in an output's shape is also a size of an input; a node makes each output, and none is listed twice.
 * E_INTERNAL names the value that breaks a rule.
 */
int graph_check(const struct ir_graph *g, struct err *e);

#endif
