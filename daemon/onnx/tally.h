/* Counts the nodes of each type in a graph. */
#ifndef ONNX_TALLY_H
#define ONNX_TALLY_H

#include "onnx.h"

struct tally {
	struct onnx_op_count *row;
	size_t n, cap;
	size_t total;
};

/* `type` is borrowed. False when memory ran out. */
bool tally_add(struct tally *t, const char *type);
void tally_sort(struct tally *t); /* most frequent first, then by name */
void tally_release(struct tally *t);

#endif
