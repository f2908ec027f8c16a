/* The classes whose checkpoints are read, which are the rows of classes.def. */
#ifndef SPEC_CLASS_H
#define SPEC_CLASS_H

#include "architecture.h"
#include "head.h"

/* The library whose class saved a checkpoint, and whose processor it was trained with. */
enum library {
	LIBRARY_TRANSFORMERS,
	LIBRARY_ENGINE,     /* colpali-engine */
	LIBRARY_SAUERKRAUT, /* sauerkrautlm-colpali */
	LIBRARY_OPENSEARCH, /* code in the repositories of OpenSearch-AI */
	LIBRARY_NVIDIA,     /* code in the repositories of NVIDIA */
	LIBRARY_JINA,       /* code in the repositories of jinaai */
	LIBRARY_TOPK,       /* code in the repositories of topk-io */
	LIBRARY_PERPLEXITY, /* modules of sentence-transformers in the repositories of perplexity-ai */
	LIBRARY_NANOVDR,    /* code in the repositories of nanovdr */
	LIBRARY_IBM,        /* code in the repositories of ibm-granite */
	LIBRARY_MAX
};

const char *library_name(enum library l); /* "transformers" */

struct class
{
	const struct architecture *arch;
	enum library library;
	const char *name;
	enum head head; /* unless a job asks for another */
	unsigned heads; /* all that it can have: bits 1u << HEAD_* */
	bool bare;      /* the backbone alone, which has no head */
};

/* The next class of the family, or of any family (NULL), after `c`; NULL begins and ends the list. */
const struct class *class_next(const struct architecture *arch, const struct class *c);
const struct class *class_find(const struct architecture *arch, const char *name);

/* A sentence for a class that could not be compared with the original (experimental.def); NULL: it was. */
const char *class_experimental(const struct class *c);

#endif
