/*
 * All that an artifact is made from, as two hashes with a colon between them: of the job's options and the programs'
 * versions, and of the sources. Conversions with the same recipe give the same files, so one of them is enough.
 *
 * A repository of the Hub is taken by its commit, any other folder by the content of each file that was opened in it.
 */
#ifndef WORKER_RECIPE_H
#define WORKER_RECIPE_H

#include "stages.h"

/*
 * Call it when all sources are open. Sets c->known if the job knows an artifact with this conversion's recipe. Reads
 * the sources only if one of its artifacts was made with the same options and versions.
 */
int recipe_compare(struct conversion *c, struct err *e);

/* Call it when all is converted. Sets c->recipe; leaves it empty if files were opened after recipe_compare(). */
int recipe_set(struct conversion *c, struct err *e);

#endif
