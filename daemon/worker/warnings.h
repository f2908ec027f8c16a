/*
 * What is strange about a checkpoint and no reason to refuse it: told in the log, and kept in the manifest under
 * "warnings" for whoever meets the artifact later.
 */
#ifndef WORKER_WARNINGS_H
#define WORKER_WARNINGS_H

#include "stages.h"

#define WARNINGS_MAX 32

/* Adds one, and logs it. Those beyond WARNINGS_MAX are only logged. */
int warnings_add(struct conversion *c, struct err *e, const char *fmt, ...) _printf_(3, 4);

/*
 * What the traced graphs show: tensors of floating point numbers that none of them uses (of unknown names, of more
 * layers than config.json counts), norms that are zero throughout, names in the index that no file has.
 */
int warnings_collect(struct conversion *c, struct err *e);

#endif
