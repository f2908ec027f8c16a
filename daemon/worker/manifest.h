/*
 * manifest.json, the last file of an artifact: a model package of ONNX Runtime, and in it our facts. They say where the artifact came from,
 * what was asked for, what the graphs take and give, how to feed them, versions and devices, the parity in short, the
 * warnings, and every other file with its size and SHA-256.
 */
#ifndef WORKER_MANIFEST_H
#define WORKER_MANIFEST_H

#include "stages.h"

/* Writes README.md, the card, first: the manifest lists it. */
int manifest_write(struct conversion *c, struct err *e);

/* Elements of all distinct weights that the graphs use. */
uint64_t conversion_parameters(const struct conversion *c);

#endif
