/* Profiles: the names and types of a graph's outputs, and the files, that a program which loads artifacts expects. */
#ifndef SPEC_PROFILE_H
#define SPEC_PROFILE_H

#include "base/util.h"

struct profile {
	const char *name;
	const char *library; /* library_name of the model card */
	const char *output;  /* name of each graph's output; NULL: as the model calls it */
	bool output_half;    /* it is float16, not float32 */
	bool one_model;      /* the unified graph alone, its weights in one file beside it */
	const char *folder;  /* of the graphs, within the artifact; "": the artifact itself */
	const char
		*own_data; /* each graph has weights of its own, in GRAPH and this; NULL: they are shared */
	bool dtype_suffix; /* model_fp16.onnx */
	bool optional_images; /* a call may leave out the pixels */
	bool family_file;     /* the one model has the name that its family's row gives */
};

/* NULL for an unknown name. */
const struct profile *profile_find(const char *name);

#endif
