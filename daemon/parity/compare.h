/*
 * Measures the difference between an ONNX graph's embeddings and the original's.
 *
 * With w the original's elements (want) and g the graph's (got), both [batch, tokens, dim]:
 *
 *	max_abs     max |g - w|                    over all elements, masked tokens included
 *	mean_abs    sum |g - w| / elements         likewise
 *	rel_l2      ||g - w|| / ||w||              likewise; ||g - w|| when w is all zeros
 *	cosine      <g, w> / (||g|| ||w||)         for each unmasked token: the minimum and the mean;
 *	                                           1 when both vectors are zero, 0 when one is
 *
 * Two histograms have logarithmic bins: 1 - cosine of each unmasked token, and |g - w| of each element. Bin
 * i counts edges[i - 1] <= x < edges[i]; the first bin counts values below all edges, including zero, and
 * the last bin counts values above. The edges are 1, 2 and 5 in each decade, so that a round limit is an
 * edge.
 *
 * NaN and infinite elements of g are counted in not_finite, and count as 0 in the other figures, which
 * therefore stay finite. One such element fails the case. w is always finite.
 *
 * MaxSim, over unmasked tokens only:
 *
 *	score(q, d) = sum over tokens i of q of (max over tokens j of d of <q_i, d_j>)
 */
#ifndef PARITY_COMPARE_H
#define PARITY_COMPARE_H

#include "base/err.h"

/* Documents whose original scores are this close are a tie: either may rank first. */
#define RANKING_TIE 1e-4

struct limits {
	double max_abs;
	double min_cosine;
	double min_top5; /* smallest agreement of the first five documents in a ranking; 0: any */
};

#define COMPARE_EDGES 52
#define COMPARE_BINS (COMPARE_EDGES + 1)

extern const double compare_edges[COMPARE_EDGES]; /* 1e-16, 2e-16, 5e-16, ... 10 */

/* Reachable with fp32 graphs; the default. */
/* clang-format off */
#define LIMITS_FP32 { .max_abs = 1e-4, .min_cosine = 0.99999 }
/* clang-format on */

struct compare {
	size_t tokens; /* unmasked */
	size_t not_finite;
	double max_abs;
	double mean_abs;
	double rel_l2;
	double min_cosine; /* 1 when every token is masked */
	double mean_cosine;
	size_t cosine_counts[COMPARE_BINS]; /* of 1 - cosine */
	size_t abs_counts[COMPARE_BINS];
};

void compare_embeddings(const float *want, const float *got, const bool *valid, size_t tokens, size_t dim,
			struct compare *ret);

/* E_PARITY; the message names the values outside the limits. */
int compare_judge(const struct compare *c, const struct limits *l, struct err *e);

/* One row of a batch: a query or a document. */
struct row {
	const float *want; /* [tokens, dim] */
	const float *got;  /* likewise; finite */
	const bool *valid; /* [tokens] */
	size_t tokens;
};

struct ranking {
	size_t queries;
	size_t documents;
	double max_score_change; /* max |score by got - score by want| over all pairs */
	size_t swapped; /* pairs of documents, without ties, that some query now ranks the other way round */
	double min_tau; /* Kendall's tau of a query: (pairs in order - pairs swapped) / all pairs without ties; 1 if all are ties */
	double mean_tau; /* over the queries */
	double top1,
		top5; /* share of got's first (five) documents that are among want's, or tie with the last of those */
	double *want; /* [queries, documents]: the scores */
	double *got;  /* likewise */
};

void ranking_release(struct ranking *r);

/* Of two vectors: 1 when both are zero, 0 when one is. */
double compare_cosine(const float *want, const float *got, size_t dim);

double compare_maxsim(const float *q, const bool *q_valid, size_t q_tokens, const float *d,
		      const bool *d_valid, size_t d_tokens, size_t dim);

/* The caller releases *ret. */
int compare_ranking(const struct row *queries, size_t nq, const struct row *docs, size_t nd, size_t dim,
		    struct ranking *ret, struct err *e);

#endif
