/* What to try when something failed: the rows of hints.def. */
#ifndef CLIENT_HINT_H
#define CLIENT_HINT_H

#include "base/buf.h"

/* Adds "; HINT" for an error of a command ("" before there is one), if there is a hint. */
void hint_add_error(struct buf *b, int code, const char *command);

/* The same for a job that failed for this reason. */
void hint_add_job(struct buf *b, int reason, uint64_t id);

/* Words in which each "%" stands for the subject. */
void hint_fill(struct buf *b, const char *words, const char *subject);

#endif
