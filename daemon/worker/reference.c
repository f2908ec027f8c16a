#include "reference.h"

#include "base/fs.h"
#include "base/pulse.h"
#include "base/str.h"
#include "cases.h"
#include "page.h"
#include "pictures.h"
#include "rounded.h"
#include "trace/eval.h"

/* Maximum time for one node, which may be a matrix product on an old, busy machine. */
#define NODE_SECONDS 900

/* Progress over all cases: nodes done of all nodes of all cases. */
struct progress {
	struct report *report;
	const char *name;
	uint64_t before, total;

	struct rounding
		*rounding;       /* gets what its matrices are multiplied with; NULL: no weight is rounded */
	const struct eval *eval; /* of the case */
	const struct sizes *sizes; /* likewise */
	struct err why;            /* why that failed */
};

/* Shows the rounding a value that it wants and that has just been computed. */
static int
value_observe(const struct progress *p, const struct ir_value *v, struct err *e)
{
	const struct shape *s = &v->shape;
	const int64_t count = dim_eval(shape_count(s), p->sizes);
	const size_t width = s->rank ? (size_t)s->dim[s->rank - 1].num : 1;
	_cleanup_free_ float *x = NULL;
	int r;

	if (!p->rounding || !rounding_wants(p->rounding, v) || count <= 0)
		return 0;
	x = malloc((size_t)count * sizeof(*x));
	if (!x)
		return err_no_memory(e);
	r = eval_read(p->eval, v, x, (size_t)count * sizeof(*x), e);
	return r < 0 ? r : rounding_observe(p->rounding, v, x, (size_t)count / width, e);
}

static int
node_done(void *arg, size_t done, size_t total, const struct ir_node *n)
{
	struct progress *p = arg;
	char detail[256];

	(void)total;
	(void)snprintf(detail, sizeof(detail), "case %s: %s", p->name, n->name);
	report_progress(p->report, p->before + done, p->total, "nodes", detail);
	pulse_allow(NODE_SECONDS); /* for the next node */
	return value_observe(p, n->out, &p->why);
}

/*
 * The embeddings of a case are always computed with the plain graph of its kind: text for rows without
 * images, image for rows with images. This holds also when only the unified graph is exported, because that
 * is the graph to be checked.
 */
struct reference {
	struct conversion *c;
	struct progress progress;
	struct ir_graph *own[VARIANT_MAX]; /* traced only for this stage */
};

static void
reference_release(struct reference *ref)
{
	int v;

	for (v = 0; v < VARIANT_MAX; v++)
		graph_free(&ref->own[v]);
}

static bool
case_wanted(const struct conversion *c, const struct plan *plan)
{
	int v;

	if (!(plan->kind & c->model->plans))
		return false;
	for (v = 0; v < VARIANT_MAX; v++)
		if (c->graph[v] && variant_takes((enum variant)v, plan_has_images(plan)))
			return true;
	return false;
}

static int
graph_for(struct reference *ref, bool images, const struct ir_graph **ret, struct err *e)
{
	const enum variant v = images ? VARIANT_IMAGE : VARIANT_TEXT;
	int r = 0;

	if (!ref->c->graph[v] && !ref->own[v])
		r = conversion_trace(ref->c, v, &ref->own[v], e);
	*ret = ref->c->graph[v] ? ref->c->graph[v] : ref->own[v];
	return r;
}

static int
graph_compute(const struct ir_graph *g, const struct feeds *in, struct progress *p, const char *path,
	      enum plan_role role, struct err *e)
{
	const enum tt_device device = tt_cuda_available() ? TT_CUDA : TT_CPU;
	_cleanup_(eval_free) struct eval *ev = NULL;
	_cleanup_(feeds_release) struct feeds made = FEEDS_INIT;
	const struct feed *f;
	struct feed *out;
	struct sizes sizes;
	size_t i;
	int r;

	r = feeds_sizes(in, g, &sizes, e);
	if (r == 0)
		r = eval_new(g, device, &sizes, &ev, e);
	for (i = 0; r == 0 && i < g->n_value; i++)
		if (g->value[i]->kind == IR_INPUT) {
			f = feeds_find(in, g->value[i]->name);
			r = eval_feed(ev, g->value[i], f->data, e);
		}
	pulse_allow(NODE_SECONDS);
	p->eval = ev;
	p->sizes = &sizes;
	if (r == 0)
		r = eval_run(ev, node_done, p, e);
	pulse_allow(0);
	if (p->why.code) {
		err_clear(e);
		return err_set(e, p->why.code, "%s", p->why.msg);
	}
	if (r < 0)
		return r;
	out = feeds_add_sized(&made, g->output->name, g->output->elem, &g->output->shape, &sizes);
	if (!out)
		return err_no_memory(e);
	r = eval_read(ev, g->output, out->data, (size_t)feed_count(out) * elem_size(out->elem), e);
	return r < 0 ? r : case_write(path, in, out, role, e);
}

static int
case_run(struct reference *ref, const struct plan *plan, const struct ir_graph *g, struct err *e)
{
	const struct conversion *c = ref->c;
	_cleanup_free_ char *name = str_printf("case-%s.safetensors", plan->name);
	_cleanup_free_ char *path = name ? fs_join(c->case_dir, name) : NULL;
	_cleanup_(feeds_release) struct feeds in = FEEDS_INIT;
	int r;

	if (!path)
		return err_no_memory(e);
	ref->progress.name = plan->name;
	r = c->model->case_make(c->model, c->config, plan, (uint64_t)c->spec.seed, &in, e);
	if (r == 0)
		r = graph_compute(g, &in, &ref->progress, path, plan->role, e);
	ref->progress.before += g->block.n;
	return r < 0 ? err_context(e, "case '%s'", plan->name) : 0;
}

/* Whether a picture's case has embeddings to compare. */
static bool
picture_embedded(const struct conversion *c, size_t i)
{
	return c->graph[VARIANT_PAGE] && pictures_embedded(i, &c->document->prepare);
}

static int
picture_run(struct reference *ref, size_t i, struct err *e)
{
	const struct conversion *c = ref->c;
	_cleanup_free_ char *name = str_printf("case-%s.safetensors", pictures_name(i));
	_cleanup_free_ char *path = name ? fs_join(c->case_dir, name) : NULL;
	_cleanup_(picture_release) struct picture picture = PICTURE_INIT;
	_cleanup_(feeds_release) struct feeds in = FEEDS_INIT;
	const struct ir_graph *g;
	int r;

	if (!path)
		return err_no_memory(e);
	ref->progress.name = pictures_name(i);
	r = pictures_make(i, &c->document->prepare, (uint64_t)c->spec.seed, &picture, e);
	if (r == 0)
		r = page_case_make(c, &picture, &in, e);
	if (r < 0)
		return err_context(e, "case '%s'", pictures_name(i));
	if (!picture_embedded(c, i))
		return case_write(path, &in, NULL, PLAN_ROLE_NONE, e);
	r = graph_for(ref, /*images=*/true, &g, e);
	if (r == 0)
		r = graph_compute(g, &in, &ref->progress, path, PLAN_ROLE_NONE, e);
	if (r == 0)
		ref->progress.before += g->block.n;
	return r < 0 ? err_context(e, "case '%s'", pictures_name(i)) : 0;
}

static int
pictures_run(struct reference *ref, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && ref->c->document && i < pictures_count(); i++)
		if (ref->c->graph[VARIANT_PREPROCESS] || picture_embedded(ref->c, i))
			r = picture_run(ref, i, e);
	return r;
}

/* At most this many image tokens are computed for pages that are ranked: a family with large images gets few of them. */
#define RANKED_TOKENS 1024

/* How many documents of the ranking are pages. */
static size_t
ranked_pages(const struct conversion *c)
{
	const int64_t tokens = MAX(c->model->image_tokens(c->config, 6, 6), 1);

	if (!c->graph[VARIANT_IMAGE] && !c->graph[VARIANT_UNIFIED])
		return 0;
	return (size_t)MAX(2, RANKED_TOKENS / tokens);
}

/* Calls fn for each plan of the job: those of every job, and those of a ranking where weights are rounded. */
static int
plans_walk(struct reference *ref, int (*fn)(struct reference *, const struct plan *, struct err *),
	   struct err *e)
{
	const struct conversion *c = ref->c;
	struct plan ranked;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < plan_count(); i++)
		if (case_wanted(c, plan_get(i)))
			r = fn(ref, plan_get(i), e);
	for (i = 0; r == 0 && c->rounding && plan_ranked(i, c->model->plans, ranked_pages(c), &ranked); i++)
		if (case_wanted(c, &ranked))
			r = fn(ref, &ranked, e);
	return r;
}

static int
plan_count_nodes(struct reference *ref, const struct plan *plan, struct err *e)
{
	const struct ir_graph *g;
	int r = graph_for(ref, plan_has_images(plan), &g, e);

	ref->progress.total += r == 0 ? g->block.n : 0;
	return r;
}

static int
plan_run(struct reference *ref, const struct plan *plan, struct err *e)
{
	const struct ir_graph *g;
	int r = graph_for(ref, plan_has_images(plan), &g, e);

	return r < 0 ? r : case_run(ref, plan, g, e);
}

int
reference_run(struct conversion *c, struct err *e)
{
	_cleanup_(reference_release) struct reference ref = {
		.c = c,
		.progress = {.report = c->report, .rounding = c->rounding},
	};
	const struct ir_graph *g;
	size_t i;
	int r;

	c->case_dir = fs_join(c->job->out_dir, ".cases");
	if (!c->case_dir)
		return err_no_memory(e);
	r = fs_mkdir(c->case_dir, 0755, e);
	if (r == 0)
		r = plans_walk(&ref, plan_count_nodes, e);
	for (i = 0; r == 0 && c->document && i < pictures_count(); i++)
		if (picture_embedded(c, i)) {
			r = graph_for(&ref, /*images=*/true, &g, e);
			ref.progress.total += r == 0 ? g->block.n : 0;
		}
	if (r == 0)
		r = plans_walk(&ref, plan_run, e);
	return r < 0 ? r : pictures_run(&ref, e);
}
