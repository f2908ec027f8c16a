/*
 * manifest.json, the last file of an artifact: where it came from, what was asked for, the graphs,
 * the versions, the parity in short, the warnings, and every other file with its size and SHA-256.
 */
#ifndef WORKER_MANIFEST_H
#define WORKER_MANIFEST_H

#include "stages.h"

#define MANIFEST_FILE "manifest.json"

/* Copies the processor's files out of the checkpoint too: they are part of what a user loads. */
int manifest_write(struct conversion *c, struct err *e);

/* Elements of all distinct weights that the graphs use. */
uint64_t conversion_parameters(const struct conversion *c);

#endif
