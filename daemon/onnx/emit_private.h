/* The members of struct emit, for the files emit*.c. */
#ifndef ONNX_EMIT_PRIVATE_H
#define ONNX_EMIT_PRIVATE_H

#include "emit.h"
#include "graph/arena.h"
#include "proto/onnx.pb-c.h"
#include "target.h"

#define EMIT_OUT_MAX 4                  /* of a node */
#define STR(s) ((char *)(uintptr_t)(s)) /* protobuf-c's structs lack const; packing does not change them */

struct emit_list {
	void **at;
	size_t n, cap;
};

/* A node, and the nodes that make something of its result alone (emit_once()): these come right behind it. */
struct emit_slot {
	Onnx__NodeProto *node;
	struct emit_list after; /* struct emit_slot */
};

/* ONNX names of an IR value; NULL until needed. */
struct known_value {
	const char *name;            /* not used for weights and tables */
	const char *stored[2][2];    /* only for these: the initializer, float32 or float16, plain or
                                   * transposed */
	const char *rounded, *scale; /* of a weight in 8 bits: the initializers */
	bool half;                   /* it is float16 */
	struct emit_slot *slot;      /* of the node that made it; NULL: an input or a table */
};

/* A weight that is written inside the file, after the rest of the graph. */
struct embedded {
	const struct weight *weight;
	struct extdata_form form;
	Onnx__TensorProto *proto; /* without its data */
	uint64_t len;             /* bytes of its data */
	uint64_t proto_len;       /* of the message with the data */
};

/* What weights in 8 bits are multiplied with: names of what was made for it. */
struct known_input {
	const struct rounding_input *input;
	const char *unsmooth;             /* the initializer */
	const char *value;                /* what was quantized last; NULL: nothing that is seen here */
	const struct emit_list *nodes;    /* where */
	const char *quantized, *quantity; /* uint8 [tokens, width], and the scale of each token */
};

struct emit {
	struct emit_job *job;
	const struct ir_graph *graph;
	const struct target *target;
	struct ir_arena *arena; /* all of the ONNX graph */
	struct err *e;
	int code; /* the first failure, or 0 */

	const char *prefix;          /* name of the current value */
	bool half;                   /* its node computes in float16 */
	const struct ir_node *next;  /* the node after it in its block; NULL: it is the last */
	const struct ir_node *fused; /* a node whose value the node before it made too */
	bool island;                 /* between emit_island() and emit_island_end() */
	struct emit_list *nodes;  /* struct emit_slot, where nodes go: the prelude, the graph, or a branch */
	struct emit_list prelude; /* nodes that use only inputs and initializers; they come first */
	struct emit_list once;    /* struct known_once */
	Onnx__NodeProto *last;    /* gets the attributes */
	struct emit_list initializers; /* Onnx__TensorProto */
	struct emit_list embedded;     /* struct embedded */
	struct emit_list dims;         /* struct known_dim */
	struct emit_list shapes;       /* names of emit_shape() */
	struct emit_list inputs;       /* struct known_input */
	struct known_value *value;     /* by id */
};

struct emit_branch {
	Onnx__GraphProto proto;
	/* Of one that a lowering writes, between emit_body_begin() and emit_body_end(). */
	struct emit_list nodes, inputs, outputs;
	struct emit_list *outer;
};

/*
 * Works on another value or in another place for a while: emit_enter() returns the place to which
 * emit_leave() returns.
 *
 *	const struct emit_place back = emit_enter(em, &em->prelude, "dim.batch", false);
 *	...
 *	emit_leave(em, back);
 */
struct emit_place {
	struct emit_list *nodes;
	const char *prefix;
	bool half;
};

struct emit_place emit_enter(struct emit *em, struct emit_list *nodes, const char *prefix, bool half);
void emit_leave(struct emit *em, struct emit_place back);

/* Zeroed memory that lives as long as the ONNX graph; NULL after a failure. */
void *emit_take(struct emit *em, size_t len);
void *emit_take_copy(struct emit *em, const void *data, size_t len);
void emit_no_memory(struct emit *em);

void emit_list_add(struct emit *em, struct emit_list *l, void *p);

/* One more output of the node added last, of exactly that name; "": an output that nothing needs. */
void emit_output_named(struct emit *em, const char *name);

/* The current name with "/suffix", or the name alone when the suffix is empty. */
const char *emit_name(struct emit *em, const char *suffix);

/* Gives an input of images a default for calls that leave it out: no images. Other inputs are unchanged. */
void emit_default_none(struct emit *em, const struct ir_value *v);

/* What was made for an input, whichever of its weights came first; NULL after a failure. */
struct known_input *emit_known_input(struct emit *em, const struct rounding_input *in);

/* Decides which values are float16, and names all values. */
void emit_halves(struct emit *em);
bool emit_node_half(const struct emit *em, const struct ir_node *n);

/* Lowers the nodes of a block to where nodes go. */
void emit_block(struct emit *em, const struct ir_block *b);

/* The name of a block's result v, which the block itself must make: a value from outside goes through an Identity. */
const char *emit_block_result(struct emit *em, const struct ir_block *b, const struct ir_value *v,
			      const char *suffix);

/* `nodes` as a graph with these outputs, Onnx__ValueInfoProto. */
void emit_graph_fill(struct emit *em, Onnx__GraphProto *g, const char *name, struct emit_list *nodes,
		     const struct emit_list *outputs);

/* The nodes of a list of slots, in the order of the file: the caller's list becomes one of Onnx__NodeProto. */
void emit_slots_flatten(struct emit *em, struct emit_list *l);

/* A value of a graph or body, as it is declared. Without `v` its shape is left open. */
Onnx__ValueInfoProto *emit_value_info(struct emit *em, const struct ir_value *v, const char *name,
				      int32_t type);

/* Returns the value in the other precision. */
const char *emit_cast_known(struct emit *em, const struct ir_value *v);

/* Packs the file: versions, metadata, the graph, and the weights that are embedded in it. */
int emit_model(struct emit *em, const Onnx__GraphProto *g);

#endif
