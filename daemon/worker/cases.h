/*
 * Parity cases: inputs from a seed, the reference's embeddings by libtorch, and the file that
 * holds both (safetensors with `in.NAME` and `out.embeddings`).
 */
#ifndef WORKER_CASES_H
#define WORKER_CASES_H

#include "model/model.h"

/* The plans of cases.def. */
size_t case_count(void);
const struct case_plan *case_get(size_t i);

/* Writes inputs and float32 embeddings [rank 3] as a case file. */
int case_write(const char *path, const struct feeds *in, const int64_t *dim, const float *embeddings,
	       struct err *e);

#endif
