/*
 * An artifact's folder, as one who uses it sees it: its manifest and the graphs.
 */
#ifndef EMBED_ARTIFACT_H
#define EMBED_ARTIFACT_H

#include "base/json.h"
#include "spec/variant.h"

struct artifact {
	const char *dir; /* the caller's */
	json_t *manifest;
	const json_t *facts;      /* within the manifest */
	const json_t *processing; /* likewise */
	bool one_each;            /* a vector for each text or page, not for each token; compared by cosine */
};

/* clang-format off */
#define ARTIFACT_INIT { .dir = NULL }
/* clang-format on */

/*
 * E_USAGE for a folder that is not an artifact or is one of format 1, E_MISMATCH for one whose graphs or weights are missing or have
 * another size than the manifest says.
 */
int artifact_open(struct artifact *a, const char *dir, struct err *e);
void artifact_release(struct artifact *a);

bool artifact_has(const struct artifact *a, enum variant v);

/* The path of a graph's file, the caller's. */
int artifact_graph(const struct artifact *a, enum variant v, char **ret, struct err *e);

/* Finds a graph that takes texts, or pictures of pages: the one that needs least is the first choice. E_USAGE: there is none. */
int artifact_graph_for(const struct artifact *a, bool page, enum variant *ret, struct err *e);

#endif
