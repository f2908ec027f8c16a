/* The stage `reference`: computes every case of the job's graphs with libtorch in float32. */
#ifndef WORKER_REFERENCE_H
#define WORKER_REFERENCE_H

#include "stages.h"

/* Fails early when the job asks for a device that this host does not have. */
int reference_probe(const struct conversion *c, struct err *e);

/* Makes the folder c->case_dir and writes case-NAME.safetensors files into it. */
int reference_run(struct conversion *c, struct err *e);

#endif
