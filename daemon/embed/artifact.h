/*
 * An artifact's folder as its user sees it: the manifest and the graphs.
 */
#ifndef EMBED_ARTIFACT_H
#define EMBED_ARTIFACT_H

#include "base/json.h"
#include "spec/variant.h"

struct artifact {
	const char *dir; /* the caller's */
	json_t *manifest;
	const json_t *facts;      /* part of the manifest */
	const json_t *processing; /* likewise */
	const json_t *tasks;      /* {"retrieval": 0, ...}; NULL: its graphs have no input for a task */
	bool one_each;            /* one vector per text or page instead of one per token; compared by
                                   * cosine */
};

/* clang-format off */
#define ARTIFACT_INIT { .dir = NULL }
/* clang-format on */

/*
 * E_USAGE for a folder that is not an artifact, or one of format 1. E_MISMATCH for an artifact whose graphs
 * or weights are missing or have another size than in the manifest.
 */
int artifact_open(struct artifact *a, const char *dir, struct err *e);
void artifact_release(struct artifact *a);

/*
 * The number of a task in the graphs' input for it; -1 for an artifact without tasks. E_USAGE for a name that it does
 * not have, or none (NULL) where it has tasks.
 */
int artifact_task(const struct artifact *a, const char *name, int64_t *ret, struct err *e);

bool artifact_has(const struct artifact *a, enum variant v);

/* The path of a graph's file; the caller frees it. */
int artifact_graph(const struct artifact *a, enum variant v, char **ret, struct err *e);

/*
 * Finds a graph for texts, or for pictures of pages; prefers the graph that needs the fewest inputs. E_USAGE:
 * there is none.
 */
int artifact_graph_for(const struct artifact *a, bool page, enum variant *ret, struct err *e);

#endif
