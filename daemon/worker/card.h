/*
 * README.md of an artifact: a model card, made from the manifest's facts and the parity report alone, so that the same
 * input, options and version give the same bytes. Its example is a program for this very artifact.
 */
#ifndef WORKER_CARD_H
#define WORKER_CARD_H

#include "stages.h"

#define CARD_FILE "README.md"

/* Writes it into the job's folder. `facts` are the manifest's, as far as they do not list files. */
int card_write(const struct conversion *c, const json_t *facts, struct err *e);

#endif
