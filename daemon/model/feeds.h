/*
 * The inputs of one run: named tensors in host memory.
 */
#ifndef MODEL_FEEDS_H
#define MODEL_FEEDS_H

#include "graph/graph.h"

#define FEEDS_MAX 8

struct feed {
	const char *name; /* the caller's */
	enum elem elem;
	int rank;
	int64_t dim[IR_RANK_MAX];
	void *data; /* row-major, owned */
};

struct feeds {
	int n;
	struct feed feed[FEEDS_MAX];
};

/* clang-format off */
#define FEEDS_INIT { .n = 0 }
/* clang-format on */

void feeds_release(struct feeds *f);

/* A new zeroed tensor, or NULL when memory ran out. */
struct feed *feeds_add(struct feeds *f, const char *name, enum elem elem, int rank, const int64_t *dim);

/* The same, with the shape's symbols replaced by their sizes. */
struct feed *feeds_add_sized(struct feeds *f, const char *name, enum elem elem, const struct shape *shape,
			     const struct sizes *s);

const struct feed *feeds_find(const struct feeds *f, const char *name);
int64_t feed_count(const struct feed *f); /* elements */

/*
 * Finds the sizes of the graph's symbols for these inputs. E_BAD_REFERENCE when an input is missing, has
 * another type or shape than in the graph, or contradicts another input.
 */
int feeds_sizes(const struct feeds *f, const struct ir_graph *g, struct sizes *ret, struct err *e);

#endif
