#include "parity.h"

#include <inttypes.h>

#include "job.h"
#include "table.h"
#include "text.h"

#define REPORT_MAX (16u << 20)

int
parity_read(const char *path, json_t **ret, struct err *e)
{
	return json_read(path, REPORT_MAX, E_BAD_REQUEST, ret, e);
}

/* A missing figure is shown as a dash. */
static void
small_add(struct table *t, const json_t *run, const char *key)
{
	if (json_is_number(json_object_get(run, key)))
		table_add(t, "%.2e", job_number(run, key));
	else
		table_add(t, "-");
}

static void
cosine_add(struct table *t, const json_t *run, const char *key)
{
	if (json_is_number(json_object_get(run, key)))
		table_add(t, "%.8f", job_number(run, key));
	else
		table_add(t, "-");
}

static void
run_add(struct table *t, const json_t *run)
{
	const char *pixels = job_str(run, "pixels");

	table_add(t, "%s", job_str(run, "name"));
	table_add(t, "%s%s%s%s", job_str(run, "model"), *pixels ? " (" : "", pixels, *pixels ? ")" : "");
	table_add(t, "%" PRIu64, job_whole(run, "tokens"));
	small_add(t, run, "max_abs");
	small_add(t, run, "mean_abs");
	cosine_add(t, run, "min_cosine");
	table_add(t, "%" PRIu64, job_whole(run, "nan"));
	table_add(t, "%s", json_is_true(json_object_get(run, "passed")) ? "ok" : "FAILED");
}

static void
message_print(const json_t *run, FILE *f)
{
	if (!*job_str(run, "message"))
		return;
	text_print(f, job_str(run, "name"));
	(void)fputs(" (", f);
	text_print(f, job_str(run, "model"));
	(void)fputs("): ", f);
	text_print(f, job_str(run, "message"));
	(void)fputc('\n', f);
}

static void
ranking_print(const json_t *ranking, FILE *f)
{
	(void)fputs("ranking by ", f);
	text_print(f, job_str(ranking, "queries_model"));
	(void)fprintf(f, ": %" PRIu64 " queries, %" PRIu64 " documents, largest score change %.2e, ",
		      job_whole(ranking, "queries"), job_whole(ranking, "documents"),
		      job_number(ranking, "max_score_change"));
	if (json_is_true(json_object_get(ranking, "kept")))
		(void)fputs("order kept\n", f);
	else
		(void)fprintf(f,
			      "%" PRIu64
			      " pairs swapped, Kendall's tau %.4f, top-1 agreement %.4f, top-5 %.4f\n",
			      job_whole(ranking, "swapped"), job_number(ranking, "mean_tau"),
			      job_number(ranking, "top1"), job_number(ranking, "top5"));
}

/* "output dense_embeddings: max abs 2.4e-07, min cosine 1.00000000" for each output beside the embeddings. */
static void
outputs_print(const json_t *outputs, FILE *f)
{
	const json_t *worst;
	const char *name;
	json_t *x;

	json_object_foreach((json_t *)(uintptr_t)outputs, name, x) {
		worst = json_object_get(x, "worst");
		(void)fputs("output ", f);
		text_print(f, name);
		if (json_object_get(worst, "differing"))
			(void)fprintf(f, ": %" PRIu64 " elements differ, none may\n",
				      job_whole(worst, "differing"));
		else
			(void)fprintf(f, ": max abs %.2e, min cosine %.8f\n", job_number(worst, "max_abs"),
				      job_number(worst, "min_cosine"));
	}
}

static void
cosines_print(const json_t *c, FILE *f)
{
	if (json_is_object(c))
		(void)fprintf(
			f,
			"cosine: mean %.6f, median %.6f, 5 %% below %.6f, 1 %% below %.6f, smallest %.6f\n",
			job_number(c, "mean"), job_number(c, "median"), job_number(c, "p5"),
			job_number(c, "p1"), job_number(c, "min"));
}

int
parity_print(const json_t *report, FILE *f, struct err *e)
{
	static const struct table_column columns[] = {
		{"CASE", TABLE_CUT},      {"GRAPH", TABLE_LEFT},     {"TOKENS", TABLE_RIGHT},
		{"MAX ABS", TABLE_RIGHT}, {"MEAN ABS", TABLE_RIGHT}, {"MIN COSINE", TABLE_RIGHT},
		{"NAN", TABLE_RIGHT},     {"RESULT", TABLE_LEFT},
	};
	const json_t *runs = json_object_get(report, "cases"), *rankings = json_object_get(report, "ranking");
	const json_t *limits = json_object_get(report, "limits");
	_cleanup_(table_release) struct table t;
	json_t *item;
	size_t i;
	int r;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach(runs, i, item)
		run_add(&t, item);
	r = table_print(&t, f, text_columns(f), e);
	if (r < 0)
		return r;
	json_array_foreach(runs, i, item)
		message_print(item, f);
	json_array_foreach(rankings, i, item)
		ranking_print(item, f);
	outputs_print(json_object_get(report, "outputs"), f);
	cosines_print(json_object_get(report, "cosine"), f);
	(void)fprintf(f, "%s: limits are max abs %g and min cosine %.9g",
		      json_is_true(json_object_get(report, "passed")) ? "passed" : "FAILED",
		      job_number(limits, "max_abs"), job_number(limits, "min_cosine"));
	if (job_number(limits, "min_top5") > 0)
		(void)fprintf(f, ", and top-5 agreement %.4g", job_number(limits, "min_top5"));
	(void)fputc('\n', f);
	return 0;
}
