/*
 * Data for the graphs that take a picture, besides the weights: the processor's rule for pictures, and the
 * ids of the document prompt. Both come from the files that are copied into the artifact.
 */
#ifndef WORKER_PAGE_H
#define WORKER_PAGE_H

#include "document/document.h"
#include "stages.h"

/* What the manifest and page_open() say of the family's processor; c->prompt must have been chosen, and c->model have a rule. */
struct document_spec page_document_spec(const struct conversion *c);

/*
 * Reads these data if the job asks for such a graph; otherwise *ret stays NULL. E_BAD_CHECKPOINT names a
 * file that is missing or does not fit the model.
 */
int page_open(const struct conversion *c, struct document **ret, struct err *e);

/* Whether the job asks for a graph that takes a picture. */
bool page_asked(const struct conversion *c);

/*
 * The inputs of a picture's case: the picture itself, what the C code makes of it (document/inputs.h), and `grey_level`,
 * by how much pixel_values changes with a grey level.
 */
int page_case_make(const struct conversion *c, const struct picture *picture, struct feeds *ret,
		   struct err *e);

#endif
