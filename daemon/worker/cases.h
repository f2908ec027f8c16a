/*
 * Case files: the inputs of a parity case and what libtorch computed for them, as safetensors that hold
 * `in.NAME` for each input and `out.NAME` for the output. colconv-parity reads them.
 */
#ifndef WORKER_CASES_H
#define WORKER_CASES_H

#include "model/feeds.h"

/* `out` may be NULL: a case of inputs alone. */
int case_write(const char *path, const struct feeds *in, const struct feed *out, struct err *e);

#endif
