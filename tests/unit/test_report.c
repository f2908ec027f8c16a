#include "test.h"

#include "base/json.h"
#include "parity/report.h"

static float want[] = {1, 0, 0, 1, 0.6f, 0.8f, 0.8f, 0.6f};
static bool valid[] = {true, true, true, true};

/* Two text cases and a case with pixels. A token has two elements. */
static struct parity_case items[] = {
	{.path = "t", .name = "text", .want = want, .valid = valid, .batch = 2, .tokens = 1, .dim = 2},
	{.path = "l", .name = "long", .want = want, .valid = valid, .batch = 2, .tokens = 2, .dim = 2},
	{.path = "i\xff",
	 .name = "image",
	 .want = want,
	 .valid = valid,
	 .batch = 4,
	 .tokens = 1,
	 .dim = 2,
	 .has_pixels = true},
};

static const struct cases all = {.items = items, .count = 3};
static const struct cases texts = {.items = items, .count = 2};

static const char *const text[VARIANT_MAX] = {[VARIANT_TEXT] = "t.onnx"};
static const char *const pair[VARIANT_MAX] = {[VARIANT_TEXT] = "t.onnx", [VARIANT_IMAGE] = "i.onnx"};
static const char *const unified[VARIANT_MAX] = {[VARIANT_UNIFIED] = "model.onnx"};

/* Fills in the results of a run whose embeddings are those expected. */
static void
run_fill(struct run *r)
{
	const size_t len = r->c->batch * r->c->tokens * r->c->dim * sizeof(float);

	r->got = malloc(len);
	assert_non_null(r->got);
	memcpy(r->got, r->c->want, len);
	compare_embeddings(r->c->want, r->got, r->c->valid, r->c->batch * r->c->tokens, r->c->dim, &r->cmp);
}

static void
report_make(struct report *r, const struct cases *l, const char *const models[VARIANT_MAX])
{
	struct err e = ERR_INIT;
	size_t i;

	*r = (struct report){.limits = LIMITS_FP32, .runtime_version = "1.2.3"};
	(void)report_plan(r, l, models, &e);
	assert_no_error(&e);
	for (i = 0; i < r->run_count; i++)
		run_fill(&r->runs[i]);
}

TEST(test_plan)
{
	_cleanup_(report_release) struct report p, u;

	report_make(&p, &all, pair);
	assert_int_equal(p.run_count, 3);
	assert_true(p.runs[1].variant == VARIANT_TEXT && p.runs[1].c == &items[1] &&
		    p.runs[1].pixels == PIXELS_CASE);
	assert_true(p.runs[2].variant == VARIANT_IMAGE && p.runs[2].c == &items[2]);
	report_make(&u, &all, unified); /* the shortest text case with both fillings, the others in turns */
	assert_int_equal(u.run_count, 4);
	assert_true(u.runs[0].c == &items[0] && u.runs[0].pixels == PIXELS_ZEROS);
	assert_true(u.runs[1].c == &items[0] && u.runs[1].pixels == PIXELS_NONE);
	assert_true(u.runs[2].c == &items[1] && u.runs[2].pixels == PIXELS_NONE);
	assert_true(u.runs[3].c == &items[2] && u.runs[3].pixels == PIXELS_CASE);
}

TEST(test_plan_refused)
{
	_cleanup_(report_release) struct report r = {0};
	struct err e = ERR_INIT;

	assert_int_equal(report_plan(&r, &texts, pair, &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "no case is for the image graph");
}

/* Cases that say what they are make the ranking alone; the long text is a document beside the pages of the image graph. */
TEST(test_ranking_marked)
{
	_cleanup_(report_release) struct report p, u;
	struct parity_case marked[3];
	const struct cases l = {.items = marked, .count = 3};
	struct err e = ERR_INIT;

	memcpy(marked, items, sizeof(marked));
	marked[0].role = CASE_ROLE_QUERY;
	marked[1].role = CASE_ROLE_DOCUMENT;
	marked[2].role = CASE_ROLE_DOCUMENT;
	report_make(&p, &l, pair);
	assert_int_equal(report_rank(&p, &e), 0);
	assert_int_equal(p.ranking_count, 1);
	assert_true(p.rankings[0].queries == VARIANT_TEXT && p.rankings[0].documents == VARIANT_IMAGE);
	assert_int_equal(p.rankings[0].r.queries, 2);
	assert_int_equal(p.rankings[0].r.documents, 6);
	assert_near(p.rankings[0].r.top5, 1, 1e-12);
	report_make(&u, &l, unified);
	u.limits.min_top5 = 0.99;
	u.runs[3].got[0] = u.runs[3].got[6] = 0; /* the result moves two of its documents to a lower rank */
	u.runs[3].got[1] = u.runs[3].got[7] = 0;
	assert_int_equal(report_rank(&u, &e), 0);
	assert_int_equal(u.rankings[0].r.documents, 6);
	assert_true(u.rankings[0].r.top5 < 0.99);
	assert_int_equal(report_verdict(&u, &e), E_PARITY);
	assert_error(&e, E_PARITY, "of the first five documents of 2 queries by the unified graph");
}

TEST(test_ranking)
{
	_cleanup_(report_release) struct report p, u, t;
	struct err e = ERR_INIT;

	report_make(&p, &all, pair);
	assert_int_equal(report_rank(&p, &e), 0);
	assert_int_equal(p.ranking_count, 1);
	assert_true(p.rankings[0].queries == VARIANT_TEXT && p.rankings[0].documents == VARIANT_IMAGE);
	assert_int_equal(p.rankings[0].r.queries, 4);
	assert_int_equal(p.rankings[0].r.documents, 4);
	assert_int_equal(p.rankings[0].r.swapped, 0);

	report_make(&u, &all,
		    unified); /* a text case counts once, although it runs with two kinds of padding */
	u.runs[3].got[0] = 0; /* the image graph changes the rank of one document */
	assert_int_equal(report_rank(&u, &e), 0);
	assert_int_equal(u.ranking_count, 1);
	assert_true(u.rankings[0].queries == VARIANT_UNIFIED && u.rankings[0].documents == VARIANT_UNIFIED);
	assert_int_equal(u.rankings[0].r.queries, 4);
	assert_near(u.rankings[0].r.max_score_change, 1.4, 1e-6); /* [[0.6, 0.8], [0.8, 0.6]] over [1, 0] */
	assert_true(u.rankings[0].r.swapped > 0);

	report_make(&t, &texts,
		    text); /* there are no images: the documents are rows of the longest text case */
	assert_int_equal(report_rank(&t, &e), 0);
	assert_true(t.rankings[0].documents == VARIANT_TEXT);
	assert_int_equal(t.rankings[0].r.documents, 2);
}

TEST(test_verdict)
{
	_cleanup_(report_release) struct report r;
	struct err e = ERR_INIT;

	report_make(&r, &all, pair);
	assert_int_equal(report_verdict(&r, &e), 0);
	(void)err_set(&r.runs[1].why, E_PARITY, "max abs 1 is above 0.1");
	assert_int_equal(report_verdict(&r, &e), E_PARITY);
	assert_error(&e, E_PARITY,
		     "1 of 3 runs failed, the first being case 'long' on the text graph: max abs 1");
}

TEST(test_json)
{
	_cleanup_(report_release) struct report r;
	json_auto_t *j = NULL;
	struct err e = ERR_INIT;
	const json_t *c, *scores;

	report_make(&r, &all, unified);
	assert_int_equal(report_rank(&r, &e), 0);
	r.runs[1].cmp.max_abs = 0.5;
	run_release(&r.runs[3]);
	(void)err_set(&r.runs[3].why, E_BAD_ONNX, "\xff!");
	(void)report_to_json(&r, &j, &e);
	assert_no_error(&e);
	assert_string_equal(json_string_value(json_object_get(j, "format")), "colconv-parity/1");
	assert_string_equal(json_string_value(json_object_get(j, "onnxruntime")), "1.2.3");
	assert_true(json_is_false(json_object_get(j, "passed")));
	assert_near(json_real_value(json_object_get(json_object_get(j, "limits"), "max_abs")), 1e-4, 0);
	assert_near(json_real_value(json_object_get(json_object_get(j, "worst"), "max_abs")), 0.5, 0);
	assert_int_equal(json_array_size(json_object_get(j, "ranking")), 1);
	assert_int_equal(json_array_size(json_object_get(j, "cases")), 4);
	c = json_array_get(json_object_get(j, "ranking"), 0);
	scores = json_object_get(c, "original"); /* one row for each query; the first query is [1, 0] */
	assert_int_equal(json_array_size(scores), 4);
	assert_near(json_real_value(json_array_get(json_array_get(scores, 0), 2)), 0.6, 1e-6);
	assert_int_equal(json_array_size(json_array_get(json_object_get(c, "onnx"), 3)), 4);
	c = json_array_get(json_object_get(j, "cases"), 1);
	assert_int_equal(json_array_size(json_object_get(j, "edges")), COMPARE_EDGES);
	assert_int_equal(json_array_size(json_object_get(c, "cosine_counts")), COMPARE_BINS);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(c, "cosine_counts"), 0)), 2);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(c, "abs_counts"), 0)), 4);
	assert_string_equal(json_string_value(json_object_get(c, "name")), "text");
	assert_string_equal(json_string_value(json_object_get(c, "model")), "unified");
	assert_string_equal(json_string_value(json_object_get(c, "pixels")), "none");
	assert_int_equal(json_integer_value(json_object_get(c, "tokens")), 2);
	assert_true(json_is_true(json_object_get(c, "passed")));
	assert_null(json_object_get(c, "message"));
	/*
	 * A case that did not run has a reason instead of figures. The reason is valid UTF-8 even if the message
	 * is not.
	 */
	c = json_array_get(json_object_get(j, "cases"), 3);
	assert_true(json_is_false(json_object_get(c, "passed")));
	assert_string_equal(json_string_value(json_object_get(c, "message")), "?!");
	assert_string_equal(json_string_value(json_object_get(c, "file")), "i?");
	assert_null(json_object_get(c, "max_abs"));
	assert_null(json_object_get(c, "abs_counts"));
	assert_null(json_object_get(c, "pixels"));
}

/* Two runs with an output of vectors and one of whole numbers beside the embeddings. */
static void
beside_fill(struct run *r, double max_abs, size_t differing)
{
	r->beside = calloc(2, sizeof(*r->beside));
	assert_non_null(r->beside);
	r->beside[0] = (struct beside){.name = strdup("dense"), .vectors = true};
	r->beside[0].cmp = (struct compare){.tokens = 2, .max_abs = max_abs, .min_cosine = 0.75};
	r->beside[1] = (struct beside){.name = strdup("kept"), .elements = 6, .differing = differing};
	r->n_beside = 2;
}

TEST(test_outputs)
{
	_cleanup_(report_release) struct report r;
	_cleanup_free_ char *text_of = NULL, *out = NULL;
	json_auto_t *j = NULL;
	struct err e = ERR_INIT;
	size_t len;
	FILE *f;

	report_make(&r, &texts, text);
	beside_fill(&r.runs[0], 0.25, 0);
	beside_fill(&r.runs[1], 0.125, 3);
	(void)report_to_json(&r, &j, &e);
	assert_no_error(&e);
	text_of = json_dumps(json_object_get(j, "outputs"), JSON_COMPACT | JSON_REAL_PRECISION(3));
	assert_string_equal(
		text_of,
		"{\"dense\":{\"limits\":{\"max_abs\":0.0001,\"min_cosine\":1.0},\"worst\":{\"max_abs\":0.25,"
		"\"min_cosine\":0.75}},\"kept\":{\"limits\":{\"differing\":0},\"worst\":{\"differing\":3}}}");
	free(text_of);
	text_of = json_dumps(
		json_object_get(json_object_get(json_array_get(json_object_get(j, "cases"), 1), "outputs"),
				"kept"),
		JSON_COMPACT);
	assert_string_equal(text_of, "{\"elements\":6,\"differing\":3}");
	f = open_memstream(&out, &len);
	assert_non_null(f);
	report_print(&r, f);
	(void)fclose(f);
	assert_non_null(strstr(out, "dense                     2   1.25e-01"));
	assert_non_null(strstr(out, "3 of 6 elements differ\n"));
}

TEST(test_print)
{
	_cleanup_(report_release) struct report r;
	_cleanup_free_ char *out = NULL;
	struct err e = ERR_INIT;
	size_t len;
	FILE *f;

	report_make(&r, &all, unified);
	assert_int_equal(report_rank(&r, &e), 0);
	run_release(&r.runs[3]);
	(void)err_set(&r.runs[3].why, E_BAD_ONNX, "no such operator");
	f = open_memstream(&out, &len);
	assert_non_null(f);
	report_print(&r, f);
	(void)fclose(f);
	assert_non_null(strstr(out, "case   graph            tokens"));
	assert_non_null(strstr(out, "text   unified (zeros)       2   0.00e+00"));
	assert_non_null(strstr(out, "FAILED: no such operator\n"));
	assert_non_null(strstr(out, "3 of 4 within max abs 0.0001 and min cosine 0.99999"));
}

int
main(void)
{
	return tests_run("report", NULL, NULL);
}
