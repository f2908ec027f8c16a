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
	IR_WEIGHT, /* a tensor of the checkpoint */
	IR_CONST,  /* a small table or scalar of the model: `data` */
	IR_RESULT, /* made by `node` */
};

/* A change of a weight that is made once, on the way to wherever it is used. */
enum ir_transform {
	IR_AS_IS,
	IR_PLUS_ONE, /* 1 + w, in float32 */
};

/* Which keys a query may see. A query that may see none gets the mean of all: finite, and nobody looks. */
enum ir_mask {
	IR_MASK_FULL,   /* those of the mask; bias [b, 1, 1, s] */
	IR_MASK_CAUSAL, /* those of the mask at or before the query; bias [b, 1, s, s] */
};

struct ir_value {
	uint32_t id; /* index in graph->value */
	enum ir_kind kind;
	enum elem elem; /* as computed with, whatever the checkpoint stores */
	struct shape shape;
	const char *name;
	struct ir_node *node;        /* IR_RESULT */
	const struct weight *weight; /* IR_WEIGHT; its own shape may group the same elements otherwise */
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
	struct ir_block *then_block; /* blocks see all values made before them outside */
	struct ir_block *else_block;
};

#define IR_IN_MAX 4

struct ir_node {
	enum ir_op op;
	const char *name; /* the name of its result */
	int n_in;
	struct ir_value *in[IR_IN_MAX];
	struct ir_value *out;
	struct ir_attr attr;
};

struct ir_graph {
	const char *name; /* "text", "image", "unified" */
	struct ir_value **value;
	size_t n_value, cap_value;
	struct ir_block block;
	struct ir_value *output; /* float32 "embeddings" [batch, sequence, dim] */
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

/* All of these return NULL when memory ran out. */
struct ir_value *graph_value_add(struct ir_graph *g, enum ir_kind kind, enum elem elem,
				 const struct shape *shape, const char *name);
struct ir_node *graph_node_add(struct ir_graph *g, struct ir_block *b, enum ir_op op,
			       struct ir_value *const *in, int n_in, const struct ir_attr *attr);
struct ir_block *graph_block_add(struct ir_graph *g);
char *graph_strdup(struct ir_graph *g, const char *s);
void *graph_memdup(struct ir_graph *g, const void *data, size_t len);

/* Shape and element type of the node's result by the rule of its row; E_TRACE with a sentence when the inputs do not fit. */
int infer_node(const struct ir_node *n, enum elem *ret_elem, struct shape *ret_shape, struct err *e);

/*
 * The graph as text, a line per input and node:
 *
 *	lm.00.mlp.gate = linear(lm.00.mlp.norm, lm.layers.0.mlp.gate_proj.weight)    f32 [batch, sequence, 8960]
 */
void graph_dump(const struct ir_graph *g, struct buf *b);

/*
 * What must hold of any graph: inputs made before use, names unique, arities, no value without a use
 * but the output, no symbol in the output that the inputs lack. E_INTERNAL names the value.
 */
int graph_check(const struct ir_graph *g, struct err *e);

#endif
