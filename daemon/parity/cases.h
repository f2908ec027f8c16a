/*
 * Case files: a model's inputs and the embeddings that the original gives for them.
 *
 * A case is a safetensors file that holds
 *
 *	in.NAME             an input of the model
 *	in.attention_mask   I64 [batch, tokens] of 0 and 1; always there
 *	out.embeddings      F32 [batch, tokens, dim], or [batch, dim] of models that give a vector for each row, which
 *	                    then counts as one token; or out.embedding; another name can be asked for
 *
 * A case of a graph that takes a picture also holds
 *
 *	in.image            U8 [height, width, 3]
 *	in.grey_level       F32 [1]: by how much pixel_values changes with a grey level
 *
 * and then out.embeddings may be missing: such a case is for the graph preprocess alone, whose outputs are compared with
 * the inputs of their names. Other tensors are ignored. All cases of a list have the same dim, so that any can be
 * scored against any other.
 */
#ifndef PARITY_CASES_H
#define PARITY_CASES_H

#include "checkpoint/safetensors.h"

#define CASES_MAX 1000 /* files in a list */

struct parity_case {
	char *path;
	char *name; /* the file's, without "case-" and ".safetensors" */
	struct st_file *file;
	float *want; /* [batch, tokens, dim]; finite. NULL: the case has no embeddings */
	bool *valid; /* [batch, tokens]: the attention mask */
	size_t batch;
	size_t tokens; /* 1 when one_each */
	size_t dim;
	bool one_each;    /* a vector for each row, not for each token; valid where a token of the row is */
	bool has_picture; /* in.image is there */
	bool has_pixels;  /* an input holds pixels: its elements are not whole numbers, or they are bytes */
};

struct cases {
	struct parity_case *items;
	size_t count;
};

/* clang-format off */
#define CASES_INIT { .items = NULL }
/* clang-format on */

void cases_release(struct cases *l);

/* `expect` names the output to compare with, usually "embeddings". */
int cases_add_file(struct cases *l, const char *path, const char *expect, struct err *e);

/* The same of an open file, which is the case's from here on; `path` names it. */
int cases_add_fd_take(struct cases *l, int fd, const char *path, const char *expect, struct err *e);

/* Every case-*.safetensors of a folder, in the order of their names. One at least. */
int cases_add_dir(struct cases *l, const char *dir, const char *expect, struct err *e);

/* The input in.NAME, or NULL. */
const struct st_tensor *case_input_find(const struct parity_case *c, const char *name);

#endif
