/*
 * Outputs of a graph beside its embeddings that the original model gives too: those for which the case has a tensor
 * out.NAME. Vectors have the limits of the embeddings. Whole numbers and bools must be equal.
 */
#ifndef PARITY_BESIDE_H
#define PARITY_BESIDE_H

#include "cases.h"
#include "compare.h"
#include "ort.h"

/* The figures of one output in one run. */
struct beside {
	char *name;
	bool vectors;               /* else whole numbers */
	struct compare cmp;         /* of vectors */
	size_t elements, differing; /* of whole numbers */
};

/* Whether the case has such an output of the graph. */
bool beside_any(const struct parity_case *c, const struct ort_session *s);

/*
 * `out` has all outputs of the session, the embeddings first, which are left out here. `ret` has room for ort_output_count() of them
 * and *ret_n says how many were compared, on failure too. E_PARITY names the first output whose shape or type differs from the case's.
 */
int beside_compare(const struct parity_case *c, const struct ort_session *s, const struct ort_tensor *out,
		   struct beside *ret, size_t *ret_n, struct err *e);

/* E_PARITY names the first output outside the limits. */
int beside_judge(const struct beside *b, size_t n, const struct limits *l, struct err *e);

void beside_release(struct beside *b, size_t n);

#endif
