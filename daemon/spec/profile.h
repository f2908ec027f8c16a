/*
 * Profiles: the files, and the names and types of the graphs' outputs, that a program expects when it loads
 * an artifact.
 */
#ifndef SPEC_PROFILE_H
#define SPEC_PROFILE_H

#include "base/util.h"

struct profile {
	const char *name;
	const char *library;  /* library_name of the model card */
	const char *output;   /* name of each graph's output; NULL: the model's own name */
	bool output_half;     /* the output is float16, not float32 */
	bool one_model;       /* only the unified graph, its weights in one file beside it */
	const char *folder;   /* folder of the graphs within the artifact; "": the artifact's own folder */
	const char *own_data; /* each graph has its own weights, in a file named after the graph with this
                            * suffix; NULL: shared weights */
	bool dtype_suffix;    /* the graph's name tells its type: model_fp16.onnx */
	bool optional_images; /* a call may omit the pixels */
	bool family_file;     /* the file name of the one graph comes from its family's row */
};

/* Whether its program takes graphs with the embeddings alone. */
bool profile_one_output(const struct profile *p);

/* NULL for an unknown name. */
const struct profile *profile_find(const char *name);

#endif
