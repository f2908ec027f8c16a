/*
 * manifest.json of an artifact, as readers see it.
 *
 * In format 1 our facts (files, graphs, options, ...) are at the top level. In format 2 the top level is an
 * ONNX Runtime model package, which allows no other keys, and our facts are in its `additional_metadata`:
 *
 *	{"schema_version", "package_name", "components", "additional_metadata": {"format": "colconv-manifest/2", ...}}
 */
#ifndef SPEC_MANIFEST_H
#define SPEC_MANIFEST_H

#include "base/json.h"

#define MANIFEST_FILE "manifest.json"
#define MANIFEST_FORMAT "colconv-manifest/2"
#define MANIFEST_LEN_MAX (16u << 20)

/* The graphs' input for the number of each row's task, where the manifest has `tasks`: their names and numbers. */
#define MANIFEST_TASK_INPUT "task"

/* The object with our facts, in either format; borrowed from `manifest`. */
const json_t *manifest_facts(const json_t *manifest);

#endif
