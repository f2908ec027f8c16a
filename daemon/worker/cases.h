/*
 * Writes case files: the inputs of a parity case and libtorch's results for them, as a safetensors file
 * with `in.NAME` for each input and `out.NAME` for each output. colconv-parity reads them.
 */
#ifndef WORKER_CASES_H
#define WORKER_CASES_H

#include "model/feeds.h"
#include "model/plan.h"

/* `out` may be NULL: a case that has only inputs. A case with a role also has the tensor `ranking.query` or `ranking.document`. */
int case_write(const char *path, const struct feeds *in, const struct feeds *out, enum plan_role role,
	       struct err *e);

#endif
