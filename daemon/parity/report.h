/*
 * What all runs together say: parity.json, and the same as a table for a person.
 *
 *	{"format": "colconv-parity/1",
 *	 "onnxruntime": "1.30.0",
 *	 "limits": {"max_abs", "min_cosine"},
 *	 "edges": [1e-16, 2e-16, ... 10],
 *	 "cases": [{"name", "file", "model", "pixels"?, "passed", "seconds", "message"?, "tokens"?,
 *	            "max_abs"?, "mean_abs"?, "rel_l2"?, "min_cosine"?, "mean_cosine"?, "nan"?,
 *	            "cosine_counts"?: [...], "abs_counts"?: [...],
 *	            "samples"?, "differing"?, "max_levels"?}],
 *	 "ranking": [{"queries_model", "documents_model", "queries", "documents",
 *	              "max_score_change", "tie", "swapped", "kept",
 *	              "original": [[...], ...], "onnx": [[...], ...]}],
 *	 "worst": {"max_abs", "min_cosine"},
 *	 "passed": true}
 *
 * `samples`, `differing` and `max_levels` (in grey levels) are those of preprocess. A case is there once for every graph that ran it. `pixels` is there when a text case was
 * filled up with "zeros" or "none"; the figures are left out when there was nothing to
 * compare, and `message` then says why. The counts are those of compare.h's bins, one more
 * than there are edges. A ranking has the scores of both, a row a query. A ranking that changed fails nothing by itself.
 */
#ifndef PARITY_REPORT_H
#define PARITY_REPORT_H

#include <jansson.h>

#include "run.h"

struct report_ranking {
	enum variant queries; /* the graphs that embedded them */
	enum variant documents;
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
 * The runs to be made: every case on every graph that takes it, graph by graph. models[v] is
 * NULL for a graph that is not given; one that no case fits is refused.
 */
int report_plan(struct report *r, const struct cases *l, const char *const models[VARIANT_MAX],
		struct err *e);

/*
 * Scores queries against documents, once for every graph that embeds queries: the text
 * cases' rows against the image cases' rows, by the same graph if it embeds images, else by
 * the image graph; with no images, against the rows of the longest text case. Runs that gave
 * nothing to compare are left out.
 */
int report_rank(struct report *r, struct err *e);

/* 0, or E_PARITY with the first case that is not within the limits and how many are not. */
int report_verdict(const struct report *r, struct err *e);

int report_to_json(const struct report *r, json_t **ret, struct err *e);
void report_print(const struct report *r, FILE *f);

#endif
