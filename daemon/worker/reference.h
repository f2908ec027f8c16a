/* The stage `reference`: every case of the graphs at hand, computed by libtorch in float32. */
#ifndef WORKER_REFERENCE_H
#define WORKER_REFERENCE_H

#include "stages.h"

/* Writes case-NAME.safetensors files to c->case_dir, which it makes. */
int reference_run(struct conversion *c, struct err *e);

#endif
