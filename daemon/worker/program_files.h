/*
 * Files that the program of a profile expects beside the graphs, such as export.json for transformers. They
 * are generated from the conversion; processor.h copies the checkpoint's own files. A file here
 * replaces the copy that has its name.
 */
#ifndef WORKER_PROGRAM_FILES_H
#define WORKER_PROGRAM_FILES_H

#include "stages.h"

/* The name, within the artifact, of the i-th such file of the job's profile; NULL: there are no more. */
const char *program_file(const struct conversion *c, size_t i);

/* Whether the job's profile has a file of that name. */
bool program_file_is(const struct conversion *c, const char *name);

/* Writes them all into the job's folder. */
int program_files_write(const struct conversion *c, struct err *e);

#endif
