/* Which ONNX Runtime a graph needs, by its ops. */
#ifndef ONNX_RUNTIME_H
#define ONNX_RUNTIME_H

#include "proto/onnx.pb-c.h"
#include "release.h"

/* Of standard ops of opset 17 and before. */
#define RUNTIME_LEAST RELEASE(15, 0)

/*
 * The first release that runs the graph, bodies and branches included. -1 where that is not known, for a newer opset or file
 * format, or an op that is not a row of runtime.def.
 */
int runtime_least(const Onnx__ModelProto *m, const Onnx__GraphProto *g);

#endif
