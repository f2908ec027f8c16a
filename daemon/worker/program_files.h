/*
 * Files that the program of a profile looks for beside the graphs, such as export.json for transformers. They are made
 * from the conversion; a file of the checkpoint is copied by processor.h.
 */
#ifndef WORKER_PROGRAM_FILES_H
#define WORKER_PROGRAM_FILES_H

#include "stages.h"

/* The name, within the artifact, of the i-th file that the job's profile has; NULL: it has no more. */
const char *program_file(const struct conversion *c, size_t i);

/* Writes them all into the job's folder. */
int program_files_write(const struct conversion *c, struct err *e);

#endif
