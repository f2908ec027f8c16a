/*
 * A target of lowering: the opsets that a graph may use, and the lowerings that differ from the default
 * ones.
 *
 * The default lowering of an op is lower_NAME() for its row of graph/ops.def. A target lists its own
 * lowerings for some ops. A node in another domain than ONNX's is marked with emit_domain(), and that
 * domain must be imported.
 */
#ifndef ONNX_TARGET_H
#define ONNX_TARGET_H

#include "lower.h"

struct target_import {
	const char *domain; /* "": ONNX's own */
	int64_t version;
};

struct target_override {
	enum ir_op op;
	lower_fn lower;
};

struct target {
	const char *name;
	int64_t ir_version;
	const struct target_import *imports;     /* the last has no domain (NULL) */
	const struct target_override *overrides; /* the last has no lowering (NULL) */
};

/* Standard ops of opset 17: every runtime since ONNX Runtime 1.15. */
extern const struct target target_portable;

/* ONNX Runtime's own ops too. */
extern const struct target target_ort;

extern const struct target_override ort_overrides[]; /* lower_ort.c */

lower_fn target_lowering(const struct target *t, enum ir_op op);

#endif
