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

/* What fp32 graphs reach; the default. */
#define LIMITS_FP32 { .max_abs = 1e-4, .min_cosine = 0.99999 }

struct compare {
	size_t tokens; /* unmasked */
	size_t not_finite;
	double max_abs;
	double mean_abs;
	double rel_l2;
	double min_cosine; /* 1 when every token is masked */
	double mean_cosine;
};

void compare_embeddings(const float *want, const float *got, const bool *valid, size_t tokens, size_t dim,
			struct compare *ret);

/* E_PARITY with what is outside the limits. */
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
	size_t swapped;          /* pairs of documents, no tie, that some query now puts the other way round */
};

double compare_maxsim(const float *q, const bool *q_valid, size_t q_tokens, const float *d,
		      const bool *d_valid, size_t d_tokens, size_t dim);

int compare_ranking(const struct row *queries, size_t nq, const struct row *docs, size_t nd, size_t dim,
		    struct ranking *ret, struct err *e);

#endif
