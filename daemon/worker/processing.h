/*
 * How to feed the graphs: prompts, token ids, padding, and how a picture becomes pixels. This is part of
 * the manifest, because a wrong prompt lowers retrieval quality without any error.
 */
#ifndef WORKER_PROCESSING_H
#define WORKER_PROCESSING_H

#include "stages.h"

/*
 * Sets c->prompt: the row that the job's option `prompts` names; without the option, the newest row of the
 * library whose class saved the checkpoint. E_BAD_REQUEST lists the rows that the family has.
 */
int prompt_choose(struct conversion *c, struct err *e);

/* For the manifest. The caller owns *ret. */
int processing_make(const struct conversion *c, json_t **ret, struct err *e);

/*
 * The whole query as one string, with `{text}` in place of the user's text. The caller frees it. NULL: memory
 * ran out.
 */
char *prompt_query(const struct model_prompt *p);

#endif
