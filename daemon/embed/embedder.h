/*
 * Embeds queries and pictures of pages with an artifact.
 *
 * Only one graph is loaded at a time. Embed all queries before the pages, so that each graph is loaded
 * once.
 */
#ifndef EMBED_EMBEDDER_H
#define EMBED_EMBEDDER_H

#include "document/document.h"
#include "parity/ort.h"
#include "artifact.h"

struct embedding {
	float *data;   /* [tokens, dim], unit vectors */
	size_t tokens; /* 1 with a vector for each text or page */
	size_t dim;
};

struct embedder {
	const struct artifact *artifact;
	int threads;  /* of ONNX Runtime */
	int64_t task; /* of artifact_task() */
	enum variant loaded;
	struct ort_session *session; /* of the graph `loaded`; NULL: none yet */
	int64_t dim;                 /* of the embeddings so far; 0: none */
	struct tokenizer *tokenizer; /* NULL: not read yet */
	struct document *document;   /* likewise */
};

/* clang-format off */
#define EMBEDDER_INIT { .artifact = NULL }
/* clang-format on */

void embedder_release(struct embedder *m);
void embedding_release(struct embedding *v);

/*
 * E_BAD_REQUEST for a query that is empty, not UTF-8, or contains the image token; E_USAGE for an artifact
 * without a prompt or without tokenizer.json.
 */
int embedder_query(struct embedder *m, const char *text, struct embedding *ret, struct err *e);

/* E_BAD_REQUEST for a picture that cannot be read or that the processor refuses. */
int embedder_page(struct embedder *m, const char *path, struct embedding *ret, struct err *e);

#endif
