/*
 * Which weights of a job are stored in 8 bits, and with what numbers.
 *
 *	rounding_new ; rounding_add_graph ... ; [rounding_observe ...] ; rounding_fit ; [rounding_keep_more]
 *
 * A matrix [out, in] has a scale for each output; the activations that meet it have one for each token, found at run
 * time. A table has a scale for each row.
 *
 * Trained models have a few channels that are 20 to 50 times larger than the others, and one scale for a token then
 * leaves nothing of the small ones. So the activations that were seen on some cases choose a factor for each channel,
 * a power of two: the graph divides the activations by it, the stored weights are multiplied by it, and the product is
 * the same (smoothing). Where that does not help enough, rounding_keep_more() takes the matrices with the largest error out, which are
 * then stored in float16 and computed in float32.
 *
 * The error of a matrix is an estimate: rounding adds noise that is even within one step, so
 *
 *	error^2 of a token = (sx^2 / 12 * sum_nk W_nk^2 + sum_n s_n^2 / 12 * sum_k x_k^2) / sum_nk W_nk^2 x_k^2
 *
 * with sx the step of the token's activations x and s_n that of output n, x and W after smoothing.
 */
#ifndef ONNX_ROUNDING_H
#define ONNX_ROUNDING_H

#include "checkpoint/weight.h"
#include "graph/graph.h"
#include "onnx.h"

/* The activations that some matrices are multiplied with. */
struct rounding_input {
	char *name; /* of the value in the graphs */
	size_t width;
	float *largest; /* [width]: the largest magnitude that was seen */
	float *token;   /* [n_token, width]: some of the tokens that were seen */
	size_t n_token;
	float *smooth;   /* [width]: what weights are multiplied by; NULL: nothing */
	float *unsmooth; /* 1 / smooth */
};

struct rounded {
	const struct weight *weight;
	struct rounding_input *input; /* NULL: a table */
	size_t rows, cols;            /* as the checkpoint has it: [out, in], or [words, width] */
	float *scale;                 /* [rows] */
	double error;                 /* estimated, of the product; 0 when nothing was seen */
	bool kept;                    /* in float16 */
	bool both; /* a matrix and a table: it would be stored twice, so it stays as it is */
};

struct rounding;

/* Says whether a weight of that name may be rounded. */
typedef bool rounding_rule_fn(const char *weight);

int rounding_new(rounding_rule_fn *may, struct rounding **ret, struct err *e);
void rounding_free(struct rounding **r);

/* Adds the matrices and tables of a graph that may be rounded. One that is used as both stays as it is. */
int rounding_add_graph(struct rounding *r, const struct ir_graph *g, struct err *e);

/* The value is multiplied with a matrix that is rounded. */
bool rounding_wants(const struct rounding *r, const struct ir_value *v);

/* The value's elements, [tokens, width], in one case. */
int rounding_observe(struct rounding *r, const struct ir_value *v, const float *x, size_t tokens,
		     struct err *e);

/*
 * Finds factors, scales and errors. Reads every weight twice at most, a few MB at a time. A weight that is not finite is an error,
 * as in weight_blame().
 */
int rounding_fit(struct rounding *r, onnx_progress_fn progress, void *userdata, struct err *e);

/*
 * Keeps matrices in float16, those with the largest error first, until they are that share of all
 * matrices. Returns how many were added.
 */
size_t rounding_keep_more(struct rounding *r, double share);

/* NULL: the weight is not rounded. */
const struct rounded *rounding_find(const struct rounding *r, const struct weight *w);

size_t rounding_count(const struct rounding *r);
const struct rounded *rounding_get(const struct rounding *r, size_t i);

#endif
