/* The stage `parity`: runs colconv-parity on the exported graphs and reads its report. */
#ifndef WORKER_PARITY_H
#define WORKER_PARITY_H

#include "stages.h"

/* Checks that colconv-parity and ONNX Runtime can be used, and sets c->runtime. */
int parity_probe(struct conversion *c, struct err *e);

/*
 * E_PARITY names the worst case. Sets c->parity, and keeps parity.json in the job's folder whether the check
 * passed or failed.
 */
int parity_run(struct conversion *c, struct err *e);

#endif
