/* Describes an ONNX file without running it. */
#ifndef ONNX_INSPECT_H
#define ONNX_INSPECT_H

#include "base/json.h"

/*
 * Reads a file, which may be hostile, and returns:
 *
 *	{"name", "ir_version", "producer", "bytes", "nodes",
 *	 "opsets": {"ai.onnx": 17}, "onnxruntime": "1.15" (the least that runs it; null: not known), "meta": {KEY: VALUE},
 *	 "inputs", "outputs": [{"name", "type", "shape": [7, "batch", null]}],
 *	 "ops": [{"type", "count"}]       most frequent first, including those in branches
 *	 "layers": [{"name", "count", "bytes"}]    the weights, in file order
 *	 "data": [{"name", "count", "bytes", "end"}]    files with external weights, and how long each must be
 *
 * E_BAD_ONNX when the file is damaged, when a weight's stored length does not match its shape, or when its
 * file is not below the folder of this one. The files with external weights are not opened.
 */
int onnx_inspect(const char *path, json_t **ret, struct err *e);

#endif
