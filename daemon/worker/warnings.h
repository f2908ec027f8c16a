/*
 * Warnings about a checkpoint that is unusual but can be converted. They go to the log, and into the
 * manifest under "warnings".
 */
#ifndef WORKER_WARNINGS_H
#define WORKER_WARNINGS_H

#include "stages.h"

#define WARNINGS_MAX 32

/* Logs a warning and keeps it for the manifest, which holds up to WARNINGS_MAX. */
int warnings_add(struct conversion *c, struct err *e, const char *fmt, ...) _printf_(3, 4);

/*
 * Compares the checkpoint with the traced graphs. Warns about floating point tensors that no graph uses (unknown names,
 * more layers than config.json counts), norms that are all zero, and tensors that the index lists and no file has.
 */
int warnings_collect(struct conversion *c, struct err *e);

#endif
