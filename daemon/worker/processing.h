/*
 * What a user must feed the graphs: prompts, token ids, padding, and how a picture becomes pixels. It is part of the
 * manifest, for a wrong prompt lowers retrieval without any error.
 */
#ifndef WORKER_PROCESSING_H
#define WORKER_PROCESSING_H

#include "stages.h"

/*
 * Sets c->prompt: the row that the job's option `prompts` names, or else the newest row of the library whose class
 * saved the checkpoint. E_BAD_REQUEST lists the rows that the family has.
 */
int prompt_choose(struct conversion *c, struct err *e);

/* For the manifest; the caller's. */
int processing_make(const struct conversion *c, json_t **ret, struct err *e);

/* All of a query as one string, with `{text}` where the user's words go. The caller frees it. NULL: no memory. */
char *prompt_query(const struct model_prompt *p);

#endif
