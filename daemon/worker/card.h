/*
 * README.md of an artifact: a model card. It is made only from the manifest's facts and the parity report,
 * so the same input, options and version give the same bytes. It contains an example program for exactly
 * this artifact.
 */
#ifndef WORKER_CARD_H
#define WORKER_CARD_H

#include "stages.h"

#define CARD_FILE "README.md"

/* Writes the card into the job's folder. `facts` are the manifest's, except the list of files. */
int card_write(const struct conversion *c, const json_t *facts, struct err *e);

#endif
