/*
 * How far the embeddings of an ONNX graph are from the original's.
 *
 * With w the original's elements (want), g the graph's (got), both [batch, tokens, dim]:
 *
 *	max_abs     max |g - w|                    over every element, those of masked tokens too
 *	mean_abs    sum |g - w| / elements         likewise
 *	rel_l2      ||g - w|| / ||w||              likewise; ||g - w|| when w is all zeros
 *	cosine      <g, w> / (||g|| ||w||)         per unmasked token: the smallest and the mean;
 *	                                           1 when both vectors are zero, 0 when one is
 *
 * Both are also counted in bins of a log scale: 1 - cosine of each unmasked token, and
 * |g - w| of each element. Bin i counts edges[i - 1] <= x < edges[i]; the first bin counts values
 * below all edges, zero included, the last bin values above. The edges are 1, 2 and 5 in each decade,
 * so that a round limit is an edge.
 *
 * An element of g that is NaN or infinite is counted in not_finite and stands as 0 in the
 * other figures, which so stay numbers; one such element fails the case. w is finite.
 *
 * MaxSim, over unmasked tokens only:
 *
 *	score(q, d) = sum over tokens i of q of (max over tokens j of d of <q_i, d_j>)
 */
#ifndef PARITY_COMPARE_H
#define PARITY_COMPARE_H

#include "base/err.h"

/* Documents whose scores by the original are this close are a tie: either may come first. */
#define RANKING_TIE 1e-4

struct limits {
	double max_abs;
	double min_cosine;
};

#define COMPARE_EDGES 52
#define COMPARE_BINS (COMPARE_EDGES + 1)

extern const double compare_edges[COMPARE_EDGES]; /* 1e-16, 2e-16, 5e-16, ... 10 */

/* What fp32 graphs reach; the default. */
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
	size_t swapped; /* pairs of documents, no tie, that some query now puts the other way round */
	double *want;   /* [queries, documents]: the scores */
	double *got;    /* likewise */
};

void ranking_release(struct ranking *r);

double compare_maxsim(const float *q, const bool *q_valid, size_t q_tokens, const float *d,
		      const bool *d_valid, size_t d_tokens, size_t dim);

/* *ret is the caller's to release. */
int compare_ranking(const struct row *queries, size_t nq, const struct row *docs, size_t nd, size_t dim,
		    struct ranking *ret, struct err *e);

#endif
