/*
 * Writes manifest.json, the last file of an artifact: an ONNX Runtime model package that contains our
 * facts. They say where the artifact came from, the job's options, the inputs and outputs of the graphs and
 * how to feed them, versions and devices, a summary of the parity report, the warnings, and the size and
 * SHA-256 of every other file.
 */
#ifndef WORKER_MANIFEST_H
#define WORKER_MANIFEST_H

#include "stages.h"

/* First writes README.md, the card, because the manifest lists it. */
int manifest_write(struct conversion *c, struct err *e);

/* Counts the elements of all different weights that the graphs use. */
uint64_t conversion_parameters(const struct conversion *c);

#endif
