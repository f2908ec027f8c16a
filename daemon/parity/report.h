/*
 * The summary of all runs: parity.json, and the same as a table for people.
 *
 *	{"format": "colconv-parity/1",
 *	 "onnxruntime": "1.30.0",
 *	 "limits": {"max_abs", "min_cosine", "min_top5"},
 *	 "edges": [1e-16, 2e-16, ... 10],
 *	 "cases": [{"name", "file", "model", "pixels"?, "passed", "seconds", "message"?, "tokens"?,
 *	            "max_abs"?, "mean_abs"?, "rel_l2"?, "min_cosine"?, "mean_cosine"?, "nan"?,
 *	            "cosine_counts"?: [...], "abs_counts"?: [...],
 *	            "outputs"?: {NAME: {"tokens", "max_abs", ... "nan"} or {"elements", "differing"}},
 *	            "samples"?, "differing"?, "max_levels"?}],
 *	 "ranking": [{"queries_model", "documents_model", "queries", "documents",
 *	              "max_score_change", "tie", "swapped", "kept", "min_tau", "mean_tau", "top1", "top5",
 *	              "original"?: [[...], ...], "onnx"?: [[...], ...]}],
 *	 "cosine": {"min", "p1", "p5", "median", "mean"},
 *	 "worst": {"max_abs", "min_cosine"},
 *	 "outputs": {NAME: {"limits", "worst": {"max_abs", "min_cosine"} or {"differing"}}},
 *	 "passed": true}
 *
 * A case is listed once for every graph that ran it. `samples`, `differing` and `max_levels` (in grey
 * levels) are figures of preprocess. `pixels` is "zeros" or "none" when a text case ran with blank images
 * or without images. The figures are missing when there was nothing to compare; `message` then says why.
 * The counts are those of compare.h's bins, one more than the edges. A small ranking has the scores of both
 * models, one row per query. `outputs` has those beside the embeddings. A changed ranking fails the check only through min_top5.
 */
#ifndef PARITY_REPORT_H
#define PARITY_REPORT_H

#include <jansson.h>

#include "run.h"

struct report_ranking {
	enum variant queries; /* the graphs that embedded the queries and the documents */
	enum variant documents;
	bool marked; /* of cases that say that they are queries and documents */
	struct ranking r;
};

struct report {
	struct limits limits;
	const char *runtime_version;
	struct run *runs;
	size_t run_count;
	struct report_ranking rankings[VARIANT_MAX];
	size_t ranking_count;
};

void report_release(struct report *r);

/*
 * Plans the runs: every case on every graph that takes it, graph by graph. A graph that takes images too gets
 * each text case once, in turns with blank images and without, and the shortest one both ways. models[v] is
 * NULL for a graph that is not given. A graph without a fitting case is an error.
 */
int report_plan(struct report *r, const struct cases *l, const char *const models[VARIANT_MAX],
		struct err *e);

/*
 * Scores queries against documents, once for every graph that embeds queries. Queries are the rows of text
 * cases. Documents are the rows of image cases, embedded by the same graph if it takes images, else by the
 * image graph; without image cases, the rows of the longest text case. Runs without results are left out.
 */
int report_rank(struct report *r, struct err *e);

/* Returns 0, or E_PARITY with the number of failed runs and the first failed case. */
int report_verdict(const struct report *r, struct err *e);

int report_to_json(const struct report *r, json_t **ret, struct err *e);
void report_print(const struct report *r, FILE *f);

#endif
