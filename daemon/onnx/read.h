/*
 * Opens an ONNX file, which may be hostile. protobuf-c unpacks without a limit on memory or depth, so both
 * are set here: the allocator has a budget, and the nesting of branches (model 7, graph 1, node 5,
 * attribute 6, graph 1, ...) is checked beforehand.
 */
#ifndef ONNX_READ_H
#define ONNX_READ_H

#include "base/map.h"
#include "proto/onnx.pb-c.h"

struct onnx_read {
	Onnx__ModelProto *model; /* has a graph; any other field may be missing */
	struct map map;
	ProtobufCAllocator allocator;
	uint64_t budget; /* bytes that may still be allocated */
};

/* clang-format off */
#define ONNX_READ_INIT { .model = NULL }
/* clang-format on */

/* Close it after a failure too. */
int onnx_read_open(const char *path, struct onnx_read *ret, struct err *e);
void onnx_read_close(struct onnx_read *o);

/* "FLOAT"; "unknown" for a type without a name here. */
const char *onnx_type_name(int32_t type);

#endif
