/*
 * Which ONNX file of a folder is which graph: by the manifest of an artifact, else by the inputs of each file.
 */
#ifndef CLIENT_EXPORTED_H
#define CLIENT_EXPORTED_H

#include "base/json.h"
#include "spec/variant.h"

struct exported {
	char *file[VARIANT_MAX]; /* paths; NULL: there is no such graph */
	json_t *facts;           /* of an artifact's manifest; NULL: made by another program */
};

/* clang-format off */
#define EXPORTED_INIT { .facts = NULL }
/* clang-format on */

void exported_release(struct exported *x);

/*
 * Adds what is found in `dir` and its folder "onnx", where a graph is not named already. E_USAGE for two files that could be the
 * same graph, and when nothing is found.
 */
int exported_find(struct exported *x, const char *dir, struct err *e);

/* "text=model.onnx": a file that the user names, in `dir` or anywhere. */
int exported_name(struct exported *x, const char *dir, const char *given, struct err *e);

#endif
