#include "test.h"

#include <math.h>

#include "parity/compare.h"

static const struct limits limits = LIMITS_FP32;
static const bool all[] = {true, true, true, true};

/* Three tokens of two elements. */
static const float want[] = {3, 4, 1, 0, 0, 0};

static struct compare
compared(const float *got, const bool *valid)
{
	struct compare c;

	compare_embeddings(want, got, valid, 3, 2, &c);
	return c;
}

TEST(test_identical)
{
	struct compare c = compared(want, all);
	struct err e = ERR_INIT;

	assert_int_equal(c.tokens, 3);
	assert_int_equal(c.not_finite, 0);
	assert_true(c.max_abs == 0 && c.mean_abs == 0 && c.rel_l2 == 0);
	assert_true(c.min_cosine == 1 && c.mean_cosine == 1); /* two vectors of zeros are equal */
	assert_int_equal(compare_judge(&c, &limits, &e), 0);
}

TEST(test_flipped_element)
{
	const float got[] = {3, 4, -1, 0, 0, 0};
	struct compare c = compared(got, all);
	struct err e = ERR_INIT;

	assert_near(c.max_abs, 2, 0);
	assert_near(c.mean_abs, 2.0 / 6, 1e-15);
	assert_near(c.rel_l2, 2 / sqrt(26), 1e-15);
	assert_near(c.min_cosine, -1, 0);
	assert_near(c.mean_cosine, 1.0 / 3, 1e-15);
	assert_int_equal(compare_judge(&c, &limits, &e), E_PARITY);
	assert_error(&e, E_PARITY, "max abs 2 is above 0.0001");
}

/* A scaled vector has a cosine of 1. A wrong direction is reported even if the difference is within max_abs. */
TEST(test_direction)
{
	const struct limits loose = {.max_abs = 10, .min_cosine = 0.9};
	const float longer[] = {6, 8, 1, 0, 0, 0}, turned[] = {3, 4, 0, 1, 0, 0};
	struct compare c = compared(longer, all);
	struct err e = ERR_INIT;

	assert_near(c.min_cosine, 1, 1e-15);
	assert_int_equal(compare_judge(&c, &loose, &e), 0);
	c = compared(turned, all);
	assert_near(c.min_cosine, 0, 0);
	assert_int_equal(compare_judge(&c, &loose, &e), E_PARITY);
	assert_error(&e, E_PARITY, "min cosine 0 is below 0.9");
}

/* One vector is zero and the other is not. */
TEST(test_zero_vector)
{
	const float got[] = {0, 0, 1, 0, 0, 0}, got2[] = {3, 4, 1, 0, 0, 1e-9f};
	struct compare c = compared(got, all);

	assert_near(c.min_cosine, 0, 0);
	c = compared(got2, all);
	assert_near(c.min_cosine, 0, 0);
	compare_embeddings(want + 4, got, all, 1, 2, &c); /* both sides are empty */
	assert_near(c.rel_l2, 0, 0);
	compare_embeddings(want + 4, want, all, 1, 2, &c);
	assert_near(c.rel_l2, 5, 0);
}

TEST(test_mask)
{
	const bool valid[] = {true, true, false}, none[] = {false, false, false};
	const float got[] = {3, 4, 1, 0, 0, 0.5f};
	struct compare c = compared(got, valid);

	assert_int_equal(c.tokens, 2);
	assert_near(c.max_abs, 0.5, 0); /* masked tokens must be zero on both sides */
	assert_near(c.min_cosine, 1, 0);
	c = compared(got, none);
	assert_int_equal(c.tokens, 0);
	assert_near(c.min_cosine, 1, 0);
	assert_near(c.mean_cosine, 1, 0);
}

TEST(test_not_finite)
{
	const float got[] = {NAN, 4, 1, INFINITY, 0, -INFINITY};
	struct compare c = compared(got, all);
	struct err e = ERR_INIT;

	assert_int_equal(c.not_finite, 3);
	assert_near(c.max_abs, 3, 0);
	assert_near(c.min_cosine, 0.8, 1e-15);
	assert_true(isfinite(c.rel_l2) && isfinite(c.mean_abs) && isfinite(c.mean_cosine));
	assert_int_equal(compare_judge(&c, &(struct limits){.max_abs = 100}, &e), E_PARITY);
	assert_error(&e, E_PARITY, "3 elements are NaN or infinite");
}

static size_t
total(const size_t counts[COMPARE_BINS])
{
	size_t i, sum = 0;

	for (i = 0; i < COMPARE_BINS; i++)
		sum += counts[i];
	return sum;
}

/* The number of the bin that contains x. */
static size_t
bin_of(double x)
{
	size_t i = 0;

	while (i < COMPARE_EDGES && x >= compare_edges[i])
		i++;
	return i;
}

TEST(test_edges)
{
	size_t i;

	assert_true(compare_edges[0] == 1e-16 && compare_edges[COMPARE_EDGES - 1] == 10);
	for (i = 1; i < COMPARE_EDGES; i++)
		assert_true(compare_edges[i] > compare_edges[i - 1]);
	/* the default limits are edges: no bin mixes pass and fail */
	assert_true(compare_edges[bin_of(1e-4) - 1] == 1e-4 && compare_edges[bin_of(5e-2) - 1] == 5e-2);
}

TEST(test_counts)
{
	const bool valid[] = {true, true, false};
	const float got[] = {3, 4, 0, 1, 20, 0.25f};
	struct compare c = compared(got, valid);

	assert_int_equal(total(c.abs_counts), 6);     /* one count for each element */
	assert_int_equal(c.abs_counts[0], 2);         /* equal elements are below all edges */
	assert_int_equal(c.abs_counts[bin_of(1)], 2); /* an edge belongs to the bin above it */
	assert_int_equal(c.abs_counts[bin_of(0.25)], 1);
	assert_int_equal(c.abs_counts[COMPARE_BINS - 1], 1);
	assert_int_equal(total(c.cosine_counts), 2); /* one count for each unmasked token */
	assert_int_equal(c.cosine_counts[0], 1);
	assert_int_equal(c.cosine_counts[bin_of(1)], 1);
}

TEST(test_maxsim)
{
	/* with dim 5 the sum has one element left after its block of four */
	const float q[] = {1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 9, 9, 9, 9, 9};
	const float d[] = {1, 0, 0, 0, 1, 0, -1, 0, 0, 0, 7, 7, 7, 7, 7};
	const bool valid[] = {true, true, false}, first[] = {true, false, false},
		   none[] = {false, false, false};

	assert_near(compare_maxsim(q, valid, 3, d, valid, 3, 5), 3 + 0, 0);
	/* Only unmasked rows count. A masked row of zeros would raise a negative similarity to 0. */
	assert_near(compare_maxsim(q + 5, first, 1, d + 5, first, 1, 5), -1, 0);
	assert_near(compare_maxsim(q, valid, 3, d, none, 3, 5), 0, 0);
	assert_near(compare_maxsim(q, none, 3, d, valid, 3, 5), 0, 0);
}

/* One query, [1, 0], and documents of one token: the score is the first element of the document. */
static void
ranking_of(const float *docs_want, const float *docs_got, size_t nd, struct ranking *ret)
{
	static const float query[] = {1, 0};
	const struct row q = {.want = query, .got = query, .valid = all, .tokens = 1};
	struct err e = ERR_INIT;
	struct row d[8];
	size_t i;

	for (i = 0; i < nd; i++)
		d[i] = (struct row){
			.want = docs_want + 2 * i, .got = docs_got + 2 * i, .valid = all, .tokens = 1};
	assert_int_equal(compare_ranking(&q, 1, d, nd, 2, ret, &e), 0);
}

TEST(test_ranking)
{
	const float docs[] = {0.5f, 0, 0.25f, 0, 0.125f, 0};
	const float close[] = {0.5f, 0, 0.375f, 0, 0.125f, 0};
	const float swapped[] = {0.25f, 0, 0.5f, 0, 0.125f, 0};
	const float tie[] = {0.5f, 0, 0.50001f, 0}, tie_swapped[] = {0.50001f, 0, 0.5f, 0};
	struct ranking r;

	ranking_of(docs, docs, 3, &r);
	assert_int_equal(r.queries, 1);
	assert_int_equal(r.documents, 3);
	assert_true(r.max_score_change == 0 && r.swapped == 0);
	ranking_release(&r);
	ranking_of(docs, close, 3, &r);
	assert_near(r.max_score_change, 0.125, 0);
	assert_int_equal(r.swapped, 0);
	assert_true(r.want[0] == 0.5 && r.want[1] == 0.25 && r.want[2] == 0.125);
	assert_true(r.got[0] == 0.5 && r.got[1] == 0.375 && r.got[2] == 0.125);
	ranking_release(&r);
	ranking_of(docs, swapped, 3, &r);
	assert_near(r.max_score_change, 0.25, 0);
	assert_int_equal(r.swapped, 1);
	ranking_release(&r);
	ranking_of(tie, tie_swapped, 2, &r);
	assert_int_equal(r.swapped, 0);
	assert_true(r.top1 >= 1 && r.mean_tau >= 1); /* no pair has different scores */
	ranking_release(&r);
	ranking_of(docs, docs, 0, &r);
	assert_int_equal(r.documents, 0);
	ranking_release(&r);
}

/*
 * Two of three pairs keep their order and the best document loses its place. Of seven documents, two of the first
 * five change.
 */
TEST(test_agreement)
{
	const float docs[] = {0.5f, 0, 0.25f, 0, 0.125f, 0}, swapped[] = {0.25f, 0, 0.5f, 0, 0.125f, 0};
	const float reversed[] = {0.125f, 0, 0.25f, 0, 0.5f, 0};
	float right[14], wrong[14];
	struct ranking r;
	size_t i;

	ranking_of(docs, swapped, 3, &r);
	assert_near(r.mean_tau, 1.0 / 3, 1e-15);
	assert_near(r.top1, 0, 0);
	assert_near(r.top5, 1, 0); /* all three are among the first five */
	ranking_release(&r);
	ranking_of(docs, reversed, 3, &r);
	assert_near(r.min_tau, -1, 0);
	ranking_release(&r);
	for (i = 0; i < 14; i++)
		right[i] = wrong[i] = i % 2 ? 0 : 1 - (float)i / 20;
	wrong[0] = wrong[2] = 0; /* the two best documents are the last ones now */
	ranking_of(right, wrong, 7, &r);
	assert_near(r.top5, 3.0 / 5, 1e-15);
	assert_near(r.mean_tau, (21 - 11 - 10) / 21.0,
		    1e-15); /* 10 of 21 pairs are swapped; the pair with equal scores counts as neither */
	ranking_release(&r);
	for (i = 0; i < 14; i++)
		wrong[i] = right[i];
	right[10] = right[8] - 5e-5f; /* the fifth and the sixth have the same score */
	wrong[8] = 0;
	ranking_of(right, wrong, 7, &r);
	assert_near(r.top5, 1, 0);
	ranking_release(&r);
}

int
main(void)
{
	return tests_run("compare", NULL, NULL);
}
