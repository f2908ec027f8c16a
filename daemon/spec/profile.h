/* Profiles: the names and types of a graph's outputs, and the files, that a program which loads artifacts expects. */
#ifndef SPEC_PROFILE_H
#define SPEC_PROFILE_H

#include "base/util.h"

struct profile {
	const char *name;
	const char
		*output;  /* name of each graph's output; NULL: `embeddings`, or `embedding` for one a row */
	bool output_half; /* it is float16, not float32 */
	bool one_model;   /* the unified graph alone, its weights in one file beside it */
};

/* NULL for an unknown name. */
const struct profile *profile_find(const char *name);

#endif
