#include "compare.h"

#include <math.h>

/* Edges from 10^-x on. */
#define DECADE(x) 1e-##x, 2e-##x, 5e-##x

const double compare_edges[COMPARE_EDGES] = {
	DECADE(16), DECADE(15), DECADE(14), DECADE(13), DECADE(12), DECADE(11),
	DECADE(10), DECADE(9),  DECADE(8),  DECADE(7),  DECADE(6),  DECADE(5),
	DECADE(4),  DECADE(3),  DECADE(2),  DECADE(1),  DECADE(0),  10,
};

/* Sums over the vectors of one token, or of all tokens. */
struct sums {
	double diff_abs;
	double diff2;
	double want2;
	double got2;
	double dot;
};

static void
bin_add(size_t counts[COMPARE_BINS], double x)
{
	size_t low = 0, high = COMPARE_EDGES, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (x < compare_edges[mid])
			high = mid;
		else
			low = mid + 1;
	}
	counts[low]++;
}

static void
token_add(const float *want, const float *got, size_t dim, struct compare *c, struct sums *s)
{
	double w, g, d;
	size_t i;

	for (i = 0; i < dim; i++) {
		w = want[i];
		g = got[i];
		if (!isfinite(g)) {
			c->not_finite++;
			g = 0;
		}
		d = fabs(g - w);
		if (d > c->max_abs)
			c->max_abs = d;
		bin_add(c->abs_counts, d);
		s->diff_abs += d;
		s->diff2 += d * d;
		s->want2 += w * w;
		s->got2 += g * g;
		s->dot += w * g;
	}
}

static double
cosine(const struct sums *s)
{
	if (s->want2 == 0 || s->got2 == 0)
		return s->want2 == s->got2 ? 1 : 0;
	return MAX(-1, MIN(1, s->dot / (sqrt(s->want2) * sqrt(s->got2))));
}

void
compare_embeddings(const float *want, const float *got, const bool *valid, size_t tokens, size_t dim,
		   struct compare *ret)
{
	struct compare c = {.min_cosine = 1, .mean_cosine = 1};
	double cos, cos_sum = 0, diff_abs = 0, diff2 = 0, want2 = 0;
	size_t t;

	for (t = 0; t < tokens; t++) {
		struct sums s = {0};

		token_add(want + t * dim, got + t * dim, dim, &c, &s);
		diff_abs += s.diff_abs;
		diff2 += s.diff2;
		want2 += s.want2;
		if (!valid[t])
			continue;
		cos = cosine(&s);
		c.min_cosine = MIN(c.min_cosine, cos);
		cos_sum += cos;
		bin_add(c.cosine_counts, 1 - cos);
		c.tokens++;
	}
	if (tokens && dim)
		c.mean_abs = diff_abs / (double)tokens / (double)dim;
	c.rel_l2 = want2 > 0 ? sqrt(diff2 / want2) : sqrt(diff2);
	if (c.tokens)
		c.mean_cosine = cos_sum / (double)c.tokens;
	*ret = c;
}

int
compare_judge(const struct compare *c, const struct limits *l, struct err *e)
{
	if (c->not_finite)
		return err_set(e, E_PARITY, "%zu elements are NaN or infinite", c->not_finite);
	if (c->max_abs > l->max_abs)
		return err_set(e, E_PARITY, "max abs %.3g is above %g", c->max_abs, l->max_abs);
	if (c->min_cosine < l->min_cosine)
		return err_set(e, E_PARITY, "min cosine %.9g is below %.9g", c->min_cosine, l->min_cosine);
	return 0;
}

double
compare_cosine(const float *want, const float *got, size_t dim)
{
	struct compare unused = {.tokens = 0};
	struct sums s = {0};

	token_add(want, got, dim, &unused, &s);
	return cosine(&s);
}

static double
dot(const float *a, const float *b, size_t n)
{
	double s[4] = {0}; /* four independent sums, which the CPU can compute in parallel */
	size_t i, k;

	for (i = 0; i + 4 <= n; i += 4)
		for (k = 0; k < 4; k++)
			s[k] += (double)a[i + k] * b[i + k];
	for (; i < n; i++)
		s[0] += (double)a[i] * b[i];
	return s[0] + s[1] + s[2] + s[3];
}

double
compare_maxsim(const float *q, const bool *q_valid, size_t q_tokens, const float *d, const bool *d_valid,
	       size_t d_tokens, size_t dim)
{
	double score = 0, best, v;
	size_t i, j;

	for (i = 0; i < q_tokens; i++) {
		if (!q_valid[i])
			continue;
		best = -INFINITY;
		for (j = 0; j < d_tokens; j++) {
			if (!d_valid[j])
				continue;
			v = dot(q + i * dim, d + j * dim, dim);
			if (v > best)
				best = v;
		}
		if (best > -INFINITY) /* a document without tokens scores 0 */
			score += best;
	}
	return score;
}

/*
 * Adds one query to the ranking: the pairs of documents that the original's scores (want) separate, and those of them
 * that got's scores order the other way round.
 */
static void
pairs_add(const double *want, const double *got, size_t n, struct ranking *r)
{
	size_t i, k, pairs = 0, ordered = 0, swapped = 0;
	double tau;

	for (i = 0; i < n; i++)
		for (k = 0; k < n; k++) {
			if (want[i] <= want[k] + RANKING_TIE)
				continue;
			pairs++;
			ordered += got[i] > got[k];
			swapped += got[i] < got[k];
		}
	tau = pairs ? ((double)ordered - (double)swapped) / (double)pairs : 1;
	r->swapped += swapped;
	r->min_tau = MIN(r->min_tau, tau);
	r->mean_tau += tau;
}

/* The place of document i by these scores: how many are before it. Of equal scores the earlier document is the first. */
static size_t
place_of(const double *scores, size_t n, size_t i)
{
	size_t k, place = 0;

	for (k = 0; k < n; k++)
		place += scores[k] > scores[i] || (k < i && scores[k] >= scores[i]);
	return place;
}

/* The share of got's first `top` documents whose scores by want are not below the last of want's first ones. */
static double
top_agree(const double *want, const double *got, size_t n, size_t top)
{
	size_t i, same = 0;
	double least = 0;

	top = MIN(top, n);
	for (i = 0; i < n; i++)
		if (place_of(want, n, i) == top - 1)
			least = want[i];
	for (i = 0; i < n; i++)
		same += place_of(got, n, i) < top && want[i] >= least - RANKING_TIE;
	return top ? (double)same / (double)top : 1;
}

void
ranking_release(struct ranking *r)
{
	free(r->want);
	free(r->got);
	*r = (struct ranking){0};
}

int
compare_ranking(const struct row *queries, size_t nq, const struct row *docs, size_t nd, size_t dim,
		struct ranking *ret, struct err *e)
{
	_cleanup_(ranking_release) struct ranking r = {.queries = nq, .documents = nd, .min_tau = 1};
	const struct row *q, *d;
	double *want, *got;
	size_t i, k;

	r.want = calloc(nq * nd + 1, sizeof(*r.want));
	r.got = calloc(nq * nd + 1, sizeof(*r.got));
	if (!r.want || !r.got)
		return err_no_memory(e);
	for (i = 0; i < nq; i++) {
		q = &queries[i];
		want = r.want + i * nd;
		got = r.got + i * nd;
		for (k = 0; k < nd; k++) {
			d = &docs[k];
			want[k] = compare_maxsim(q->want, q->valid, q->tokens, d->want, d->valid, d->tokens,
						 dim);
			got[k] =
				compare_maxsim(q->got, q->valid, q->tokens, d->got, d->valid, d->tokens, dim);
			r.max_score_change = MAX(r.max_score_change, fabs(got[k] - want[k]));
		}
		pairs_add(want, got, nd, &r);
		r.top1 += top_agree(want, got, nd, 1);
		r.top5 += top_agree(want, got, nd, 5);
	}
	if (nq) {
		r.mean_tau /= (double)nq;
		r.top1 /= (double)nq;
		r.top5 /= (double)nq;
	}
	*ret = r;
	r.want = r.got = NULL;
	return 0;
}
