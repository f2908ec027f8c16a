/* Describes an ONNX file without running it. */
#ifndef ONNX_INSPECT_H
#define ONNX_INSPECT_H

#include "base/json.h"

/*
 * Reads a file, which need not be trusted, and returns:
 *
 *	{"name", "ir_version", "producer", "bytes", "nodes",
 *	 "opsets": {"ai.onnx": 17}, "meta": {KEY: VALUE},
 *	 "inputs", "outputs": [{"name", "type", "shape": [7, "batch", null]}],
 *	 "ops": [{"type", "count"}]       most frequent first, those of branches too
 *	 "layers": [{"name", "count", "bytes"}]    the weights in the order of the file
 *	 "data": [{"name", "count", "bytes", "end"}]    the files of weights beside it, and how long each must be
 *
 * E_BAD_ONNX when it is damaged or a weight's place cannot be: another length than the weight's, or a
 * file that is not below the folder of this one. The files of weights themselves are not looked at.
 */
int onnx_inspect(const char *path, json_t **ret, struct err *e);

#endif
