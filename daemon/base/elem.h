/*
 * The element types of tensors, in checkpoints, graphs, libtorch, ONNX files and ONNX Runtime alike.
 * Rows and their columns: elems.def.
 */
#ifndef BASE_ELEM_H
#define BASE_ELEM_H

#include "util.h"

enum elem {
#define ELEM(sym, ...) ELEM_##sym,
#include "elems.def"
#undef ELEM
	ELEM_MAX
};

/* ONNX's numbers of the types, in its files and in ONNX Runtime's ABI; 0 for what opset 17 does not have. */
enum {
#define ELEM(sym, word, size, is_weight, onnx, torch) ELEM_ONNX_##sym = (onnx),
#include "elems.def"
#undef ELEM
};

const char *elem_name(enum elem t); /* in a safetensors header: "BF16" */
const char *elem_word(enum elem t); /* in our own output: "bf16" */
size_t elem_size(enum elem t);      /* bytes */
bool elem_is_weight(enum elem t);   /* a floating point type that weights may have */
int elem_onnx(enum elem t);         /* ELEM_ONNX_* */

/* ELEM_MAX for a name or number that no row has. */
enum elem elem_from_name(const char *name);
enum elem elem_from_onnx(int number);

#endif
