/* The heads of a retriever, which are the rows of heads.def. */
#ifndef SPEC_HEAD_H
#define SPEC_HEAD_H

#include "base/util.h"

enum head {
#define HEAD(sym, ...) HEAD_##sym,
#include "heads.def"
#undef HEAD
	HEAD_MAX,
	HEAD_AUTO = HEAD_MAX, /* the one that the checkpoint's class says */
};

const char *head_name(enum head h);       /* "last-token" */
const char *head_output(enum head h);     /* name of the output: "embeddings" */
const char *head_similarity(enum head h); /* "maxsim" */

#endif
