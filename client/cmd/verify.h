/*
 * Whether files are whole. What is wrong is added to `problems`, a list of sentences; an error is
 * only what kept us from looking.
 */
#ifndef CLIENT_VERIFY_H
#define CLIENT_VERIFY_H

#include "client/show/bar.h"
#include "base/json.h"

int problem_add(json_t *problems, const struct err *what, struct err *e);

/* The files of the folder `dir` against those that its manifest lists: their sizes and, with a bar, their hashes. */
int verify_manifest(const char *dir, const json_t *manifest, struct bar *bar, json_t *problems,
		    struct err *e);

/* The files that the weights of a graph (onnx_inspect()) lie in: there, long enough, and no links. */
int verify_data(const char *dir, const json_t *graph, json_t *problems, struct err *e);

#endif
