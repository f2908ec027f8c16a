/*
 * Embeddings and rankings as files.
 *
 * JSON, for any number of queries and pages in the order of the command line (format colconv-embeddings/1):
 *
 *	{"format", "similarity": "maxsim", "dim": 128,
 *	 "items": [{"query": "...", "embeddings": [[...], ...]}, {"image": "page.png", "embeddings": [[...], ...]}]}
 *
 * With the similarity "cosine" an item has "embedding": [...] instead. A NumPy file holds one float32 array [items,
 * tokens, dim], where items with fewer tokens than others end with vectors of zeros; or [items, dim].
 *
 * A ranking (format colconv-ranking/1) has the pages of each query, best first:
 *
 *	{"format", "similarity", "queries": [{"query": "...", "pages": [{"image": "page.png", "score": 21.4}]}]}
 */
#ifndef EMBED_OUTPUT_H
#define EMBED_OUTPUT_H

#include "base/buf.h"
#include "embedder.h"

/* A query or a page. */
struct item {
	bool page;
	const char *name; /* the text, or the picture's file; valid UTF-8 */
	struct embedding v;
};

/*
 * All items must have the same dim, and there must be at least one. E_BAD_ONNX for an element that is NaN or
 * infinite.
 */
int output_json(const struct artifact *a, const struct item *items, size_t n, struct buf *ret, struct err *e);
int output_npy(const struct artifact *a, const struct item *items, size_t n, struct buf *ret, struct err *e);
int output_ranking(const struct artifact *a, const struct item *items, size_t n, struct buf *ret,
		   struct err *e);

#endif
