/* What to try after an error: the remedies of errors.def, with numbers in place of {id} and {command}. */
#ifndef CLIENT_REMEDY_H
#define CLIENT_REMEDY_H

#include "base/buf.h"

/* Replaces "{id}" by a job's number and "{command}" by a command and a space, which may be "". */
void remedy_fill(struct buf *b, const char *words, const char *command, uint64_t id);

/* Adds "; REMEDY". With `id` 0 the job is unknown, and a remedy that names a job is left out. */
void remedy_add(struct buf *b, int code, const char *command, uint64_t id);

/* Adds "; HINT" when the job's storage, as "bf16", is a likely cause of the error. */
void remedy_storage_add(struct buf *b, int code, const char *storage);

#endif
