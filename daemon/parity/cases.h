/*
 * Case files: inputs of a model, and the embeddings that the original model gives for them.
 *
 * A case is a safetensors file with these tensors:
 *
 *	in.NAME             an input of the model
 *	in.attention_mask   I64 [batch, tokens] of 0 and 1; required
 *	out.embeddings      F32 [batch, tokens, dim]; or [batch, dim] for models with one vector per row, which
 *	                    then counts as one token. May also be called out.embedding; a caller can ask for
 *	                    another name
 *	out.NAME            what the original gives for another output of the graph: F32 [batch, tokens, dim] or
 *	                    [batch, dim], or whole numbers or bools of any shape
 *
 * A case for a graph that takes a picture also has
 *
 *	in.image            U8 [height, width, 3]
 *	in.grey_level       F32 [1]: how much pixel_values changes when a sample changes by one grey level
 *
 * and may lack out.embeddings. Such a case is only for the graph preprocess: its outputs are compared with
 * the inputs of the same names. A case with a tensor `ranking.query` or `ranking.document` provides the queries or the
 * documents of the rankings; once such cases exist, the rankings use no others. Other tensors are ignored. All cases in a list have
 * the same dim, so that each can be scored against each other.
 */
#ifndef PARITY_CASES_H
#define PARITY_CASES_H

#include "checkpoint/safetensors.h"

#define CASES_MAX 1000 /* files in a list */

enum case_role { CASE_ROLE_NONE, CASE_ROLE_QUERY, CASE_ROLE_DOCUMENT };

struct parity_case {
	char *path;
	char *name; /* the file's, without "case-" and ".safetensors" */
	struct st_file *file;
	float *want; /* [batch, tokens, dim]; finite. NULL: the case has no embeddings */
	bool *valid; /* [batch, tokens]: the attention mask */
	size_t batch;
	size_t tokens; /* 1 when one_each */
	size_t dim;
	bool one_each;    /* one vector per row, not per token; valid if any token of the row is */
	bool has_picture; /* the case has in.image */
	bool unmasked;    /* compare unmasked tokens only: cases_unmask() */
	bool has_pixels;  /* an input holds pixels: its elements are not whole numbers, or they are bytes */
	enum case_role role; /* in rankings */
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

/* The same for an open file, whose descriptor the case owns from now on; `path` names it. */
int cases_add_fd_take(struct cases *l, int fd, const char *path, const char *expect, struct err *e);

/* Adds every case-*.safetensors of a folder, sorted by name. There must be at least one. */
int cases_add_dir(struct cases *l, const char *dir, const char *expect, struct err *e);

/* For graphs of others, which may give anything for a masked token: only unmasked ones are compared. */
void cases_unmask(struct cases *l);

/* Makes the vectors of masked tokens zeros; `embeddings` has the shape of `want`. */
void case_mask_apply(const struct parity_case *c, float *embeddings);

/* The output out.NAME, or NULL. */
const struct st_tensor *case_output_find(const struct parity_case *c, const char *name);

/*
 * For vectors [batch, tokens, dim] which tokens are unmasked, for vectors [batch, dim] which rows have such a token. The caller
 * frees *ret. E_BAD_REFERENCE when the mask has another shape than the vectors.
 */
int case_valid_make(const struct parity_case *c, const struct st_tensor *vectors, bool **ret, struct err *e);

/* The input in.NAME, or NULL. */
const struct st_tensor *case_input_find(const struct parity_case *c, const char *name);

#endif
