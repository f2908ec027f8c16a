/*
 * Checks whether files are complete. Findings are added to `problems`, a list of sentences. An error means
 * that the check itself failed.
 */
#ifndef CLIENT_VERIFY_H
#define CLIENT_VERIFY_H

#include "client/show/bar.h"
#include "base/json.h"

int problem_add(json_t *problems, const struct err *what, struct err *e);

/* Compares the files of the folder `dir` with its manifest: their sizes and, with a bar, their hashes. */
int verify_manifest(const char *dir, const json_t *manifest, struct bar *bar, json_t *problems,
		    struct err *e);

/*
 * Lists and hashes the files of an artifact that is about to be signed or pushed, showing progress under
 * `label`. E_MISMATCH when they are not the files that its manifest lists. *ret (tree.h) is the caller's.
 */
int verify_artifact(const char *dir, const char *label, json_t **ret, struct err *e);

/*
 * Checks the files with the weights of a graph (onnx_inspect()): they exist, are long enough and are not
 * links.
 */
int verify_data(const char *dir, const json_t *graph, json_t *problems, struct err *e);

#endif
