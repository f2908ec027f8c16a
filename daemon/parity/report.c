#include "report.h"

#include <math.h>

#include "base/json.h"
#include "base/str.h"

/* Rows to score on each side if no case has a role. More rows would take longer and not change the verdict. */
#define RANKING_ROWS_MAX 32
#define RANKING_MARKED_MAX 1024 /* where cases do */
#define RANKING_SCORES_MAX 32   /* rows of a ranking whose scores are reported one by one */

struct rows {
	struct row items[RANKING_MARKED_MAX];
	size_t count, max;
};

void
report_release(struct report *r)
{
	size_t i;

	for (i = 0; i < r->run_count; i++)
		run_release(&r->runs[i]);
	for (i = 0; i < r->ranking_count; i++)
		ranking_release(&r->rankings[i].r);
	free(r->runs);
	*r = (struct report){0};
}

/* The case without pixels that has the fewest tokens, padding too; NULL: there is none. */
static const struct parity_case *
shortest_text(const struct cases *l)
{
	const struct parity_case *c, *ret = NULL;
	size_t i;

	for (i = 0; i < l->count; i++) {
		c = &l->items[i];
		if (c->want && !c->has_pixels && (!ret || c->batch * c->tokens < ret->batch * ret->tokens))
			ret = c;
	}
	return ret;
}

/*
 * How a graph that takes images as well is filled for a text case: in turns with blank images and with none, and the
 * shortest case with both. Which of the two it is decides one branch of the graph, so running each case twice would
 * double the time and prove nothing more.
 */
static bool
filling_wanted(const struct cases *l, const struct parity_case *c, enum pixels p, size_t turn)
{
	return p == PIXELS_CASE || c == shortest_text(l) || (p == PIXELS_ZEROS) == (turn % 2 == 0);
}

int
report_plan(struct report *r, const struct cases *l, const char *const models[VARIANT_MAX], struct err *e)
{
	const struct parity_case *c;
	size_t i, before, turn;
	int v, p;

	r->runs = calloc(l->count * VARIANT_MAX * PIXELS_MAX + 1, sizeof(*r->runs));
	if (!r->runs)
		return err_no_memory(e);
	for (v = 0; v < VARIANT_MAX; v++) {
		before = r->run_count;
		turn = 0;
		for (i = 0; models[v] && i < l->count; i++) {
			c = &l->items[i];
			for (p = 0; p < PIXELS_MAX; p++)
				if (run_applies(c, v, p) && filling_wanted(l, c, p, turn))
					r->runs[r->run_count++] =
						(struct run){.c = c, .variant = v, .pixels = p};
			turn += !c->has_pixels;
		}
		if (models[v] && r->run_count == before)
			return err_set(e, E_BAD_REFERENCE, "no case is for the %s graph", variant_name(v));
	}
	return 0;
}

static bool
run_usable(const struct run *r)
{
	return r->got && r->cmp.not_finite == 0;
}

static void
rows_add(struct rows *l, const struct run *r)
{
	const struct parity_case *c = r->c;
	size_t b;

	for (b = 0; b < c->batch && l->count < l->max; b++)
		l->items[l->count++] = (struct row){
			.want = c->want + b * c->tokens * c->dim,
			.got = r->got + b * c->tokens * c->dim,
			.valid = c->valid + b * c->tokens,
			.tokens = c->tokens,
		};
}

/* Whether the run before this one, of the same case, was usable: a case that was filled in two ways counts once. */
static bool
run_repeats(const struct report *r, size_t i)
{
	return i > 0 && r->runs[i - 1].variant == r->runs[i].variant && r->runs[i - 1].c == r->runs[i].c &&
	       run_usable(&r->runs[i - 1]);
}

/*
 * Collects the rows that a graph embedded, either of cases with pixels or of cases without, each once,
 * however its images were filled.
 */
static void
rows_collect(const struct report *r, enum variant v, bool pixels, struct rows *ret)
{
	const struct run *run;
	size_t i;

	ret->count = 0;
	ret->max = RANKING_ROWS_MAX;
	for (i = 0; i < r->run_count; i++) {
		run = &r->runs[i];
		if (run->variant == v && run->c->has_pixels == pixels && run_usable(run) &&
		    !run_repeats(r, i))
			rows_add(ret, run);
	}
}

/* The rows of the cases with that role: those with pixels by the graph `v` or, where it takes none, by the image graph. */
static void
rows_marked(const struct report *r, enum variant v, enum case_role role, struct rows *ret)
{
	const bool both = variant_takes(v, /*images=*/true);
	const struct run *run;
	size_t i;

	ret->count = 0;
	ret->max = RANKING_MARKED_MAX;
	for (i = 0; i < r->run_count; i++) {
		run = &r->runs[i];
		if (run->c->role == role && run_usable(run) && !run_repeats(r, i) &&
		    run->variant == (run->c->has_pixels && !both ? VARIANT_IMAGE : v))
			rows_add(ret, run);
	}
}

static void
rows_of_longest(const struct report *r, enum variant v, struct rows *ret)
{
	const struct run *run, *longest = NULL;
	size_t i;

	for (i = 0; i < r->run_count; i++) {
		run = &r->runs[i];
		if (run->variant == v && run_usable(run) && (!longest || run->c->tokens > longest->c->tokens))
			longest = run;
	}
	ret->count = 0;
	ret->max = RANKING_ROWS_MAX;
	if (longest)
		rows_add(ret, longest);
}

/* The image graph embedded documents that are marked. */
static bool
marked_pages(const struct report *r)
{
	size_t i;

	for (i = 0; i < r->run_count; i++)
		if (r->runs[i].variant == VARIANT_IMAGE && r->runs[i].c->role == CASE_ROLE_DOCUMENT)
			return true;
	return false;
}

static int
rank_variant(struct report *r, enum variant v, struct err *e)
{
	struct report_ranking k = {.queries = v, .documents = v};
	static struct rows queries, docs; /* too large for a stack */
	int q;

	rows_marked(r, v, CASE_ROLE_QUERY, &queries);
	rows_marked(r, v, CASE_ROLE_DOCUMENT, &docs);
	k.marked = queries.count && docs.count;
	if (!k.marked)
		rows_collect(r, v, /*pixels=*/false, &queries);
	if (queries.count == 0)
		return 0;
	if (k.marked && !variant_takes(v, /*images=*/true) && marked_pages(r))
		k.documents = VARIANT_IMAGE;
	if (!k.marked)
		rows_collect(r, v, /*pixels=*/true, &docs);
	if (docs.count == 0) {
		k.documents = VARIANT_IMAGE;
		rows_collect(r, VARIANT_IMAGE, /*pixels=*/true, &docs);
	}
	if (docs.count == 0) {
		k.documents = v;
		rows_of_longest(r, v, &docs);
	}
	q = compare_ranking(queries.items, queries.count, docs.items, docs.count, r->runs[0].c->dim, &k.r, e);
	if (q == 0)
		r->rankings[r->ranking_count++] = k;
	return q;
}

int
report_rank(struct report *r, struct err *e)
{
	int v, k;

	for (v = 0; v < VARIANT_MAX; v++) {
		k = rank_variant(r, v, e);
		if (k < 0)
			return k;
	}
	return 0;
}

static int
rankings_judge(const struct report *r, struct err *e)
{
	const struct report_ranking *k;
	size_t i;

	for (i = 0; i < r->ranking_count; i++) {
		k = &r->rankings[i];
		if (k->r.top5 < r->limits.min_top5)
			return err_set(e, E_PARITY,
				       "of the first five documents of %zu queries by the %s graph, %.4g are "
				       "those of the "
				       "original, which is below %.4g",
				       k->r.queries, variant_name(k->queries), k->r.top5, r->limits.min_top5);
	}
	return 0;
}

int
report_verdict(const struct report *r, struct err *e)
{
	const struct run *first = NULL;
	size_t i, failed = 0;

	for (i = 0; i < r->run_count; i++)
		if (r->runs[i].why.code) {
			first = first ? first : &r->runs[i];
			failed++;
		}
	if (!first)
		return rankings_judge(r, e);
	return err_set(e, E_PARITY, "%zu of %zu runs failed, the first being case '%s' on the %s graph: %s",
		       failed, r->run_count, first->c->name, variant_name(first->variant), first->why.msg);
}

/* The worst figures of all runs with embeddings to compare; both 0 when there are none. */
static void
worst_get(const struct report *r, double *ret_max_abs, double *ret_min_cosine)
{
	double max_abs = 0, min_cosine = 1;
	bool any = false;
	size_t i;

	for (i = 0; i < r->run_count; i++) {
		any |= r->runs[i].levels.samples > 0;
		if (r->runs[i].got) {
			max_abs = MAX(max_abs, r->runs[i].cmp.max_abs);
			min_cosine = MIN(min_cosine, r->runs[i].cmp.min_cosine);
			any = true;
		}
	}
	*ret_max_abs = max_abs;
	*ret_min_cosine = any ? min_cosine : 0;
}

/* Adds a member that json_pack made; NULL means that memory ran out. */
static int
member_add(json_t *obj, json_t *more)
{
	int r = more ? json_object_update(obj, more) : -1;

	json_decref(more);
	return r;
}

static json_t *
numbers_to_json(const double *v, size_t n)
{
	json_t *j = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		if (json_array_append_new(j, json_real(v[i])) < 0) {
			json_decref(j);
			return NULL;
		}
	return j;
}

static json_t *
counts_to_json(const size_t counts[COMPARE_BINS])
{
	json_t *j = json_array();
	size_t i;

	for (i = 0; i < COMPARE_BINS; i++)
		if (json_array_append_new(j, json_integer((json_int_t)counts[i])) < 0) {
			json_decref(j);
			return NULL;
		}
	return j;
}

/* One row per query. */
static json_t *
scores_to_json(const double *scores, const struct ranking *r)
{
	json_t *j = json_array();
	size_t i;

	for (i = 0; i < r->queries; i++)
		if (json_array_append_new(j, numbers_to_json(scores + i * r->documents, r->documents)) < 0) {
			json_decref(j);
			return NULL;
		}
	return j;
}

/* JSON must be UTF-8; a path or a message of the runtime may not be. */
static json_t *
text_to_json(const char *s)
{
	_cleanup_free_ char *copy = strdup(s);
	char *p;

	if (!copy)
		return NULL;
	if (!str_is_utf8(s, strlen(s)))
		for (p = copy; *p; p++)
			if ((unsigned char)*p >= 0x80)
				*p = '?';
	return json_string(copy);
}

/* Of an output beside the embeddings. */
static json_t *
beside_to_json(const struct beside *b)
{
	const struct compare *c = &b->cmp;

	if (!b->vectors)
		return json_pack("{s:I, s:I}", "elements", (json_int_t)b->elements, "differing",
				 (json_int_t)b->differing);
	return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:I}", "tokens", (json_int_t)c->tokens, "max_abs",
			 c->max_abs, "mean_abs", c->mean_abs, "rel_l2", c->rel_l2, "min_cosine",
			 c->min_cosine, "mean_cosine", c->mean_cosine, "nan", (json_int_t)c->not_finite);
}

static json_t *
besides_to_json(const struct run *r)
{
	json_t *j = json_object();
	int failed = 0;
	size_t i;

	for (i = 0; i < r->n_beside; i++)
		failed |= json_object_set_new(j, r->beside[i].name, beside_to_json(&r->beside[i]));
	return json_whole(j, failed);
}

static json_t *
run_to_json(const struct run *r)
{
	const struct compare *c = &r->cmp;
	json_t *j;
	int k = 0;

	j = json_pack("{s:o, s:o, s:s, s:b, s:f}", "name", text_to_json(r->c->name), "file",
		      text_to_json(r->c->path), "model", variant_name(r->variant), "passed", r->why.code == 0,
		      "seconds", r->seconds);
	if (r->pixels != PIXELS_CASE)
		k |= member_add(j, json_pack("{s:s}", "pixels", pixels_name(r->pixels)));
	if (r->got)
		k |= member_add(j, json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:o, s:o}", "tokens",
					     (json_int_t)c->tokens, "max_abs", c->max_abs, "mean_abs",
					     c->mean_abs, "rel_l2", c->rel_l2, "min_cosine", c->min_cosine,
					     "mean_cosine", c->mean_cosine, "nan", (json_int_t)c->not_finite,
					     "cosine_counts", counts_to_json(c->cosine_counts), "abs_counts",
					     counts_to_json(c->abs_counts)));
	if (r->n_beside)
		k |= member_add(j, json_pack("{s:o}", "outputs", besides_to_json(r)));
	if (r->levels.samples)
		k |= member_add(j, json_pack("{s:I, s:I, s:f}", "samples", (json_int_t)r->levels.samples,
					     "differing", (json_int_t)r->levels.differing, "max_levels",
					     MIN(r->levels.max, 1e9)));
	if (r->why.code)
		k |= member_add(j, json_pack("{s:o}", "message", text_to_json(r->why.msg)));
	if (k == 0)
		return j;
	json_decref(j);
	return NULL;
}

static json_t *
ranking_to_json(const struct report_ranking *k)
{
	const struct ranking *r = &k->r;
	json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:I, s:b, s:f, s:f, s:f, s:f}", "queries_model",
			      variant_name(k->queries), "documents_model", variant_name(k->documents),
			      "queries", (json_int_t)r->queries, "documents", (json_int_t)r->documents,
			      "max_score_change", r->max_score_change, "tie", RANKING_TIE, "swapped",
			      (json_int_t)r->swapped, "kept", r->swapped == 0, "min_tau", r->min_tau,
			      "mean_tau", r->mean_tau, "top1", r->top1, "top5", r->top5);

	if (MAX(r->queries, r->documents) > RANKING_SCORES_MAX ||
	    member_add(j, json_pack("{s:o, s:o}", "original", scores_to_json(r->want, r), "onnx",
				    scores_to_json(r->got, r))) == 0)
		return j;
	json_decref(j);
	return NULL;
}

static int
cmp_double(const void *pa, const void *pb)
{
	const double a = *(const double *)pa, b = *(const double *)pb;

	return (a > b) - (a < b);
}

/* Appends the cosines of a run's unmasked tokens. */
static size_t
cosines_add(const struct run *r, double *ret)
{
	const struct parity_case *c = r->c;
	size_t t, n = 0;

	for (t = 0; t < c->batch * c->tokens; t++)
		if (c->valid[t])
			ret[n++] = compare_cosine(c->want + t * c->dim, r->got + t * c->dim, c->dim);
	return n;
}

/* Over the unmasked tokens of all runs: the mean, and what a share of them is below. Null: nothing was compared. */
static json_t *
cosines_to_json(const struct report *r)
{
	_cleanup_free_ double *all = NULL;
	size_t i, n = 0, total = 0;
	double sum = 0;

	for (i = 0; i < r->run_count; i++)
		total += r->runs[i].got ? r->runs[i].cmp.tokens : 0;
	if (total == 0)
		return json_null();
	all = calloc(total, sizeof(*all));
	if (!all)
		return NULL;
	for (i = 0; i < r->run_count; i++)
		n += r->runs[i].got ? cosines_add(&r->runs[i], all + n) : 0;
	qsort(all, n, sizeof(*all), cmp_double);
	for (i = 0; i < n; i++)
		sum += all[i];
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "min", all[0], "p1", all[n / 100], "p5", all[n / 20],
			 "median", all[n / 2], "mean", sum / (double)n);
}

/* The worst figures of an output beside the embeddings over all runs. False: no run has such an output. */
static bool
beside_worst(const struct report *r, const char *name, struct beside *ret)
{
	const struct beside *b;
	bool any = false;
	size_t i, k;

	*ret = (struct beside){.cmp = {.min_cosine = 1}};
	for (i = 0; i < r->run_count; i++)
		for (k = 0; k < r->runs[i].n_beside; k++) {
			b = &r->runs[i].beside[k];
			if (!str_eq(b->name, name))
				continue;
			any = true;
			ret->vectors |= b->vectors;
			ret->differing += b->differing;
			if (b->vectors) {
				ret->cmp.max_abs = MAX(ret->cmp.max_abs, b->cmp.max_abs);
				ret->cmp.min_cosine = MIN(ret->cmp.min_cosine, b->cmp.min_cosine);
			}
		}
	return any;
}

static json_t *
limited_to_json(const struct report *r, const char *name)
{
	struct beside worst;

	(void)beside_worst(r, name, &worst);
	if (!worst.vectors)
		return json_pack("{s:{s:i}, s:{s:I}}", "limits", "differing", 0, "worst", "differing",
				 (json_int_t)worst.differing);
	return json_pack("{s:{s:f, s:f}, s:{s:f, s:f}}", "limits", "max_abs", r->limits.max_abs, "min_cosine",
			 r->limits.min_cosine, "worst", "max_abs", worst.cmp.max_abs, "min_cosine",
			 worst.cmp.min_cosine);
}

/* Each output beside the embeddings, its limits and its worst figures. */
static json_t *
outputs_to_json(const struct report *r)
{
	json_t *j = json_object();
	const char *name;
	int failed = 0;
	size_t i, k;

	for (i = 0; i < r->run_count; i++)
		for (k = 0; k < r->runs[i].n_beside; k++) {
			name = r->runs[i].beside[k].name;
			if (!json_object_get(j, name))
				failed |= json_object_set_new(j, name, limited_to_json(r, name));
		}
	return json_whole(j, failed);
}

int
report_to_json(const struct report *r, json_t **ret, struct err *e)
{
	json_t *cases = json_array(), *rankings = json_array();
	double max_abs, min_cosine;
	size_t i;
	int k = 0;

	worst_get(r, &max_abs, &min_cosine);
	for (i = 0; i < r->run_count; i++)
		k |= json_array_append_new(cases, run_to_json(&r->runs[i]));
	for (i = 0; i < r->ranking_count; i++)
		k |= json_array_append_new(rankings, ranking_to_json(&r->rankings[i]));
	/* "o" takes its value even when packing fails */
	*ret = json_pack("{s:s, s:s, s:{s:f, s:f, s:f}, s:o, s:o, s:o, s:o, s:{s:f, s:f}, s:o, s:b}",
			 "format", "colconv-parity/1", "onnxruntime", r->runtime_version, "limits", "max_abs",
			 r->limits.max_abs, "min_cosine", r->limits.min_cosine, "min_top5",
			 r->limits.min_top5, "edges", numbers_to_json(compare_edges, COMPARE_EDGES), "cases",
			 cases, "ranking", rankings, "cosine", cosines_to_json(r), "worst", "max_abs",
			 max_abs, "min_cosine", min_cosine, "outputs", outputs_to_json(r), "passed",
			 report_verdict(r, /*e=*/NULL) == 0);
	if (*ret && k == 0)
		return 0;
	json_decref(*ret);
	return err_set(e, E_NO_MEMORY, "memory ran out making the report");
}

/* "unified (zeros)" */
static const char *
run_label(const struct run *r, char *buf, size_t len)
{
	if (r->pixels == PIXELS_CASE)
		return variant_name(r->variant);
	(void)snprintf(buf, len, "%s (%s)", variant_name(r->variant), pixels_name(r->pixels));
	return buf;
}

/* A line below that of the run. */
static void
beside_print(const struct beside *b, int name_width, FILE *f)
{
	const struct compare *c = &b->cmp;

	(void)fprintf(f, "  %-*s", name_width + 15, b->name);
	if (b->vectors)
		(void)fprintf(f, "  %6zu  %9.2e  %9.2e  %9.2e  %11.8f\n", c->tokens, c->max_abs, c->mean_abs,
			      c->rel_l2, c->min_cosine);
	else
		(void)fprintf(f, "  %zu of %zu elements differ\n", b->differing, b->elements);
}

static void
run_print(const struct run *r, int name_width, FILE *f)
{
	const struct compare *c = &r->cmp;
	char label[32];
	size_t i;

	(void)fprintf(f, "%-*s  %-15s", name_width, r->c->name, run_label(r, label, sizeof(label)));
	if (r->got)
		(void)fprintf(f, "  %6zu  %9.2e  %9.2e  %9.2e  %11.8f  %8.2f  ", c->tokens, c->max_abs,
			      c->mean_abs, c->rel_l2, c->min_cosine, r->seconds);
	else
		(void)fprintf(f, "  %6s  %9s  %9s  %9s  %11s  %8.2f  ", "-", "-", "-", "-", "-", r->seconds);
	if (r->levels.samples && !r->why.code)
		(void)fprintf(f, "ok: %zu of %zu samples differ, by up to %.3g grey levels\n",
			      r->levels.differing, r->levels.samples, r->levels.max);
	else
		(void)fprintf(f, "%s%s\n", r->why.code ? "FAILED: " : "ok", r->why.msg);
	for (i = 0; i < r->n_beside; i++)
		beside_print(&r->beside[i], name_width, f);
}

static void
ranking_print(const struct report_ranking *k, FILE *f)
{
	(void)fprintf(f, "ranking: %zu queries (%s) over %zu documents (%s), largest score change %.2e, ",
		      k->r.queries, variant_name(k->queries), k->r.documents, variant_name(k->documents),
		      k->r.max_score_change);
	if (k->r.swapped)
		(void)fprintf(f,
			      "%zu pairs of documents swapped, Kendall's tau %.4f (smallest %.4f), top-1 "
			      "agreement %.4f, "
			      "top-5 %.4f\n",
			      k->r.swapped, k->r.mean_tau, k->r.min_tau, k->r.top1, k->r.top5);
	else
		(void)fprintf(f, "order kept\n");
}

void
report_print(const struct report *r, FILE *f)
{
	double max_abs, min_cosine;
	int width = (int)strlen("case");
	size_t i, passed = 0;

	for (i = 0; i < r->run_count; i++) {
		width = MAX(width, (int)strlen(r->runs[i].c->name));
		passed += r->runs[i].why.code == 0;
	}
	(void)fprintf(f, "%-*s  %-15s  %6s  %9s  %9s  %9s  %11s  %8s\n", width, "case", "graph", "tokens",
		      "max abs", "mean abs", "rel l2", "min cosine", "seconds");
	for (i = 0; i < r->run_count; i++)
		run_print(&r->runs[i], width, f);
	for (i = 0; i < r->ranking_count; i++)
		ranking_print(&r->rankings[i], f);
	worst_get(r, &max_abs, &min_cosine);
	(void)fprintf(
		f, "%zu of %zu within max abs %g and min cosine %.9g; worst %.2e and %.8f; ONNX Runtime %s\n",
		passed, r->run_count, r->limits.max_abs, r->limits.min_cosine, max_abs, min_cosine,
		r->runtime_version);
}
