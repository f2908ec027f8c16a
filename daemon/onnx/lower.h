/* One function per row of graph/ops.def: it adds the ONNX nodes that compute the node's value. */
#ifndef ONNX_LOWER_H
#define ONNX_LOWER_H

#include "emit.h"

typedef void (*lower_fn)(struct emit *em, const struct ir_node *n);

#define OP(sym, name, ...) void lower_##name(struct emit *em, const struct ir_node *n);
#include "graph/ops.def"
#undef OP

/* The lowerings of a LINEAR and a GATHER whose weight is in 8 bits (lower_rounded.c). */
void lower_linear_rounded(struct emit *em, const struct ir_node *n, const struct emit_rounded *w);
void lower_gather_rounded(struct emit *em, const struct ir_node *n, const struct emit_rounded *w);

/* int64 0, a scalar; the call fails when an element of the bool `wrong` is true. */
const char *lower_fail(struct emit *em, const char *wrong);

/* The default lowering of ATTENTION with another name for its result, "NAME/suffix". */
const char *lower_attention_blocks(struct emit *em, const struct ir_node *n, const char *suffix);

/* Lowers to a single ONNX node with the same inputs. */
void lower_direct(struct emit *em, const struct ir_node *n, const char *type);

#endif
