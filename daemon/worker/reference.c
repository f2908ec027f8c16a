#include "reference.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/pulse.h"
#include "base/str.h"
#include "cases.h"
#include "page.h"
#include "pictures.h"
#include "rounded.h"
#include "spec/manifest.h"
#include "trace/lockstep.h"

/* Maximum time for one node, which may be a matrix product on an old, busy machine. */
#define NODE_SECONDS 900

struct ref_case {
	char name[32]; /* of the plan or the picture */
	enum plan_role role;
	struct feeds in;
	const struct ir_graph *graph; /* NULL: there is nothing to compute */
	struct sizes sizes;
	struct eval *eval;
};

/*
 * The embeddings of a case are always computed with the plain graph of its kind: text for rows without
 * images, image for rows with images. This holds also when only the unified graph is exported, because that
 * is the graph to be checked.
 */
struct reference {
	struct conversion *c;
	struct ir_graph *own[VARIANT_MAX]; /* traced only for this stage */
	struct ref_case *cases;
	size_t n, cap;
	size_t *computed; /* indices of the cases that have a graph */
	struct eval **evals;
	size_t n_computed;
};

/* Forgets what was computed, so that the cases can be computed again. */
static void
computed_release(struct reference *ref)
{
	size_t i;

	for (i = 0; i < ref->n; i++)
		eval_free(&ref->cases[i].eval);
	free(TAKE(ref->computed));
	free(TAKE(ref->evals));
	ref->n_computed = 0;
}

static void
reference_release(struct reference *ref)
{
	size_t i;
	int v;

	computed_release(ref);
	for (i = 0; i < ref->n; i++)
		feeds_release(&ref->cases[i].in);
	free(ref->cases);
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

/* Whether a picture's case has embeddings to compare. */
static bool
picture_embedded(const struct conversion *c, size_t i)
{
	return c->graph[VARIANT_PAGE] && pictures_embedded(i, &c->document->prepare);
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

/* ---- inputs ---- */

/* The next case, empty; NULL when memory ran out. */
static struct ref_case *
case_add(struct reference *ref, const char *name)
{
	struct ref_case *p;

	if (ref->n == ref->cap) {
		p = realloc(ref->cases, (ref->cap + 32) * sizeof(*p));
		if (!p)
			return NULL;
		ref->cases = p;
		ref->cap += 32;
	}
	p = &ref->cases[ref->n++];
	*p = (struct ref_case){.in = FEEDS_INIT};
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
	return p;
}

/*
 * Says the rows' tasks, where the graph has that input: each case begins with the next task, and so does each of its
 * rows, but the vectors of a ranking must be of one task to be comparable.
 */
static int
tasks_add(const struct reference *ref, struct ref_case *k, struct err *e)
{
	const int64_t count = (int64_t)checkpoint_task_count(ref->c->checkpoint);
	const struct feed *ids = feeds_find(&k->in, "input_ids"), *task;
	int64_t *row, i;

	if (!count)
		return 0;
	task = feeds_add(&k->in, MANIFEST_TASK_INPUT, ELEM_I64, 1, ids->dim);
	if (!task)
		return err_no_memory(e);
	row = task->data;
	for (i = 0; i < ids->dim[0]; i++)
		row[i] = k->role ? 0 : ((int64_t)ref->n - 1 + i) % count;
	return 0;
}

static int
plan_add(struct reference *ref, const struct plan *plan, struct err *e)
{
	const struct conversion *c = ref->c;
	struct ref_case *k = case_add(ref, plan->name);
	int r;

	if (!k)
		return err_no_memory(e);
	k->role = plan->role;
	r = c->model->case_make(c->model, c->config, plan, (uint64_t)c->spec.seed, &k->in, e);
	if (r == 0)
		r = tasks_add(ref, k, e);
	if (r == 0)
		r = graph_for(ref, plan_has_images(plan), &k->graph, e);
	return r < 0 ? err_context(e, "case '%s'", k->name) : 0;
}

static int
picture_add(struct reference *ref, size_t i, struct err *e)
{
	const struct conversion *c = ref->c;
	_cleanup_(picture_release) struct picture picture = PICTURE_INIT;
	struct ref_case *k = case_add(ref, pictures_name(i));
	int r;

	if (!k)
		return err_no_memory(e);
	r = pictures_make(i, &c->document->prepare, (uint64_t)c->spec.seed, &picture, e);
	if (r == 0)
		r = page_case_make(c, &picture, &k->in, e);
	if (r == 0)
		r = tasks_add(ref, k, e);
	if (r == 0 && picture_embedded(c, i))
		r = graph_for(ref, /*images=*/true, &k->graph, e);
	return r < 0 ? err_context(e, "case '%s'", k->name) : 0;
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

/* The cases of every job, those of a ranking where weights are rounded, and pictures for the graphs that take them. */
static int
cases_make(struct reference *ref, struct err *e)
{
	const struct conversion *c = ref->c;
	struct plan ranked;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < plan_count(); i++)
		if (case_wanted(c, plan_get(i)))
			r = plan_add(ref, plan_get(i), e);
	for (i = 0; r == 0 && c->rounding && plan_ranked(i, c->model->plans, ranked_pages(c), &ranked); i++)
		if (case_wanted(c, &ranked))
			r = plan_add(ref, &ranked, e);
	for (i = 0; r == 0 && c->document && i < pictures_count(); i++)
		if (c->graph[VARIANT_PREPROCESS] || picture_embedded(c, i))
			r = picture_add(ref, i, e);
	return r;
}

/* ---- computing ---- */

static int
eval_open(struct ref_case *k, enum tt_device device, struct err *e)
{
	const struct ir_graph *g = k->graph;
	size_t i;
	int r;

	r = feeds_sizes(&k->in, g, &k->sizes, e);
	if (r == 0)
		r = eval_new(g, device, &k->sizes, &k->eval, e);
	for (i = 0; r == 0 && i < g->n_value; i++)
		if (g->value[i]->kind == IR_INPUT)
			r = eval_feed(k->eval, g->value[i], feeds_find(&k->in, g->value[i]->name)->data, e);
	return r < 0 ? err_context(e, "case '%s'", k->name) : 0;
}

/* Shows the rounding a value that it wants and that has just been computed. */
static int
value_observe(struct rounding *rounding, const struct ref_case *k, const struct ir_value *v, struct err *e)
{
	const struct shape *s = &v->shape;
	const int64_t count = dim_eval(shape_count(s), &k->sizes);
	const size_t width = s->rank ? (size_t)s->dim[s->rank - 1].num : 1;
	_cleanup_free_ float *x = NULL;
	int r;

	if (!rounding || !rounding_wants(rounding, v) || count <= 0)
		return 0;
	x = malloc((size_t)count * sizeof(*x));
	if (!x)
		return err_no_memory(e);
	r = eval_read(k->eval, v, x, (size_t)count * sizeof(*x), e);
	return r < 0 ? r : rounding_observe(rounding, v, x, (size_t)count / width, e);
}

static int
node_done(void *arg, size_t which, size_t done, size_t total, const struct ir_node *n, struct err *e)
{
	const struct reference *ref = arg;
	const struct ref_case *k = &ref->cases[ref->computed[which]];
	char detail[256];

	(void)snprintf(detail, sizeof(detail), "case %s: %s", k->name, n->name);
	report_progress(ref->c->report, done, total, "nodes", detail);
	pulse_allow(NODE_SECONDS); /* for the next node */
	return value_observe(ref->c->rounding, k, n->out, e);
}

static int
compute_on(struct reference *ref, enum tt_device device, struct err *e)
{
	size_t i, which = 0;
	int r = 0;

	ref->c->device = device;
	ref->computed = calloc(ref->n + 1, sizeof(*ref->computed));
	ref->evals = calloc(ref->n + 1, sizeof(struct eval *));
	if (!ref->computed || !ref->evals)
		return err_no_memory(e);
	for (i = 0; r == 0 && i < ref->n; i++) {
		if (!ref->cases[i].graph)
			continue;
		r = eval_open(&ref->cases[i], device, e);
		ref->computed[ref->n_computed] = i;
		ref->evals[ref->n_computed++] = ref->cases[i].eval;
	}
	if (r < 0)
		return r;
	pulse_allow(NODE_SECONDS);
	r = lockstep_run(ref->evals, ref->n_computed, node_done, ref, &which, e);
	pulse_allow(0);
	return r < 0 ? err_context(e, "case '%s'", ref->cases[ref->computed[which]].name) : 0;
}

/* A rounding has seen part of the numbers when memory runs out, and must not see them twice: such a job fails. */
static int
compute(struct reference *ref, struct err *e)
{
	struct conversion *c = ref->c;
	const bool gpu = c->spec.device != SPEC_DEVICE_CPU && tt_cuda_available();
	int r = compute_on(ref, gpu ? TT_CUDA : TT_CPU, e);

	if (r != E_NO_MEMORY || !gpu)
		return r;
	if (c->spec.device == SPEC_DEVICE_CUDA || c->rounding)
		return err_context(e, "the reference on the GPU (the device cpu needs none of its memory)");
	log_warning("the reference does not fit into the memory of the GPU, computing it on the CPU: %s",
		    e->msg);
	err_clear(e);
	computed_release(ref);
	return compute_on(ref, TT_CPU, e);
}

/* ---- files ---- */

static int
case_save(const struct conversion *c, const struct ref_case *k, struct err *e)
{
	_cleanup_free_ char *name = str_printf("case-%s.safetensors", k->name);
	_cleanup_free_ char *path = name ? fs_join(c->case_dir, name) : NULL;
	_cleanup_(feeds_release) struct feeds made = FEEDS_INIT;
	const struct ir_value *v;
	struct feed *out;
	size_t i;
	int r = 0;

	if (!path)
		return err_no_memory(e);
	for (i = 0; r == 0 && k->graph && (v = graph_output(k->graph, i)); i++) {
		out = feeds_add_sized(&made, v->name, v->elem, &v->shape, eval_sizes(k->eval));
		if (!out)
			return err_no_memory(e);
		r = eval_read(k->eval, v, out->data, (size_t)feed_count(out) * elem_size(out->elem), e);
	}
	if (r == 0)
		r = case_write(path, &k->in, &made, k->role, e);
	return r < 0 ? err_context(e, "case '%s'", k->name) : 0;
}

int
reference_probe(const struct conversion *c, struct err *e)
{
	if (c->spec.device != SPEC_DEVICE_CUDA || tt_cuda_available())
		return 0;
	return err_set(
		e, E_BAD_REQUEST,
		"the job asks for the device cuda, and libtorch %s sees no GPU here; use the device auto or "
		"cpu, or build colconv with a libtorch for CUDA (--with-libtorch)",
		tt_version());
}

int
reference_run(struct conversion *c, struct err *e)
{
	_cleanup_(reference_release) struct reference ref = {.c = c};
	size_t i;
	int r;

	c->case_dir = fs_join(c->job->out_dir, ".cases");
	if (!c->case_dir)
		return err_no_memory(e);
	r = fs_mkdir(c->case_dir, 0755, e);
	if (r == 0)
		r = cases_make(&ref, e);
	if (r == 0)
		r = compute(&ref, e);
	for (i = 0; r == 0 && i < ref.n; i++)
		r = case_save(c, &ref.cases[i], e);
	return r;
}
