#include "adapter.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/str.h"
#include "names.h"

enum role {
	ROLE_REPLACE,
	ROLE_A,
	ROLE_B,
	ROLE_BIAS,
	ROLE_MAGNITUDE,
	ROLE_EMBEDDING_A,
	ROLE_EMBEDDING_B,
	ROLE_ROWS,
};

static const struct {
	const char *end;
	enum role role;
} roles[] = {
	{".lora_A.weight", ROLE_A},
	{".lora_B.weight", ROLE_B},
	{".lora_B.bias", ROLE_BIAS},
	{".lora_magnitude_vector", ROLE_MAGNITUDE},
	{".lora_magnitude_vector.weight", ROLE_MAGNITUDE},
	{".lora_embedding_A", ROLE_EMBEDDING_A},
	{".lora_embedding_B", ROLE_EMBEDDING_B},
	{".trainable_tokens_delta", ROLE_ROWS},
};

/* Parts of a name that peft adds to the path of a module that it wraps. "default" is the name of the adapter. */
static const char *const segments[] = {".default", ".modules_to_save", ".token_adapter", ".base_layer"};

struct adapter {
	struct adapter_config *config;
	const char *task; /* NULL: the adapter has no tasks */
	bool again;       /* another task came before it, with which the tensors of no task were applied */
	const struct st_file *file;
	struct weight *weights; /* `count` of them, sorted by name */
	size_t count;
	size_t used; /* tensors that change a weight */
};

/*
 * Finds the role of a tensor, and the path of its module in the model before peft wrapped it. For ROLE_REPLACE
 * `module` is the path of the tensor.
 */
static int
tensor_role(const struct st_tensor *t, char module[NAME_LEN_MAX], enum role *ret, struct err *e)
{
	static const char prefix[] = "base_model.model.";
	const char *name = t->name + (str_starts(t->name, prefix) ? strlen(prefix) : 0), *task;
	size_t i, n;

	(void)snprintf(module, NAME_LEN_MAX, "%s", name); /* st_open() refuses longer names */
	for (i = 0; i < ARRAY_LEN(segments); i++)
		adapter_name_drop(module, segments[i]);
	n = adapter_task_find(module, &task);
	if (n) /* with the dot behind it */
		memmove(module + (task - module), task + n + 1, strlen(task + n + 1) + 1);
	*ret = ROLE_REPLACE;
	for (i = 0; i < ARRAY_LEN(roles); i++) {
		if (!str_ends(module, roles[i].end))
			continue;
		module[strlen(module) - strlen(roles[i].end)] = '\0';
		*ret = roles[i].role;
		return 0;
	}
	if (strstr(module, ".lora_"))
		return err_set(e, E_UNSUPPORTED_MODEL, "tensor '%s': this kind of adapter cannot be merged",
			       t->name);
	return 0;
}

/* The canonical name of the weight that a tensor changes. Returns 0 for a tensor that retrieval does not use. */
static int
target_name(const char *module, enum role role, char ret[NAME_LEN_MAX], struct err *e)
{
	_cleanup_free_ char *name = str_printf("%s%s", module,
					       role == ROLE_REPLACE ? ""
					       : role == ROLE_BIAS  ? ".bias"
								    : ".weight");

	return name ? name_canonical(name, ret, e) : err_no_memory(e);
}

static int
cmp_name(const void *name, const void *w)
{
	return strcmp(name, ((const struct weight *)w)->name);
}

static int
cmp_weight(const void *a, const void *b)
{
	return strcmp(((const struct weight *)a)->name, ((const struct weight *)b)->name);
}

static struct weight *
weight_find(const struct adapter *a, const char *name)
{
	return bsearch(name, a->weights, a->count, sizeof(*a->weights), cmp_name);
}

static int
weight_missing(const struct adapter *a, const char *name, const struct st_tensor *t, struct err *e)
{
	if (str_starts(name, "proj."))
		return err_set(e, E_BAD_CHECKPOINT,
			       "the base has no projection, and '%s' in '%s' only changes one: give the base "
			       "that the "
			       "adapter was trained over, not the bare backbone, with --base DIR",
			       t->name, st_path(a->file));
	return err_set(e, E_BAD_CHECKPOINT,
		       "tensor '%s' in '%s' changes the weight '%s', which the base does not have", t->name,
		       st_path(a->file), name);
}

static int
tensor_twice(const struct adapter *a, const struct st_tensor *t, const char *name, struct err *e)
{
	return err_set(e, E_BAD_CHECKPOINT,
		       "tensor '%s' in '%s' repeats what another tensor says about the weight '%s'", t->name,
		       st_path(a->file), name);
}

static int
weight_add(struct adapter *a, const char *name, const struct st_tensor *t, struct err *e)
{
	struct weight *w = &a->weights[a->count];

	*w = (struct weight){.name = strdup(name), .tensor = t, .file = a->file};
	if (!w->name)
		return err_no_memory(e);
	a->count++;
	return 0;
}

static int
weight_replace(struct adapter *a, struct weight *w, const struct st_tensor *t, struct err *e)
{
	if (w->file == a->file)
		return tensor_twice(a, t, w->name, e);
	if (t->rank != w->tensor->rank ||
	    memcmp(t->shape, w->tensor->shape, (size_t)t->rank * sizeof(*t->shape)) != 0)
		return err_set(e, E_BAD_CHECKPOINT,
			       "tensor '%s' in '%s' replaces '%s' of the base, but has another shape",
			       t->name, st_path(a->file), w->tensor->name);
	w->tensor = t;
	w->file = a->file;
	return 0;
}

/* The member of the delta that holds the tensor of a role. */
static const struct st_tensor **
delta_slot(struct delta *d, enum role role)
{
	switch (role) {
	case ROLE_A:
	case ROLE_EMBEDDING_A:
		return &d->learned.a;
	case ROLE_B:
	case ROLE_EMBEDDING_B:
		return &d->learned.b;
	case ROLE_MAGNITUDE:
		return &d->magnitude;
	case ROLE_BIAS:
		return &d->bias;
	case ROLE_ROWS:
		return &d->rows;
	case ROLE_REPLACE:
		break;
	}
	return NULL; /* can't happen: a replacement is not a delta */
}

static int
delta_add(struct adapter *a, struct weight *w, enum role role, const struct st_tensor *t, struct err *e)
{
	const bool embedding = role == ROLE_EMBEDDING_A || role == ROLE_EMBEDDING_B;
	const struct st_tensor **slot;
	struct delta *d;

	if (!w->delta && !(w->delta = calloc(1, sizeof(*w->delta))))
		return err_no_memory(e);
	d = w->delta;
	slot = delta_slot(d, role);
	if (*slot || ((slot == &d->learned.a || slot == &d->learned.b) && (d->learned.a || d->learned.b) &&
		      d->embedding != embedding))
		return tensor_twice(a, t, w->name, e);
	*slot = t;
	d->embedding = d->embedding || embedding;
	return 0;
}

/* Returns 0 for a tensor of another task. */
static int
task_check(const struct adapter *a, const struct st_tensor *t, struct err *e)
{
	bool any, own = adapter_task_is(t, a->task, &any);

	if (any)
		return own;
	if (a->task && strstr(t->name, ".lora_"))
		return err_set(e, E_BAD_REQUEST,
			       "tensor '%s' in '%s' is of no task: leave --task out for such an adapter",
			       t->name, st_path(a->file));
	return 1;
}

/* What a tensor does to which weight. Returns 0 for a tensor that retrieval does not use, or that is of another task. */
static int
tensor_target(const struct adapter *a, const struct st_tensor *t, char module[NAME_LEN_MAX],
	      char name[NAME_LEN_MAX], enum role *ret_role, struct err *e)
{
	int r;

	if (strstr(t->name, ".original_module."))
		return 0; /* the base's own weight, which modules_to_save replaces */
	r = task_check(a, t, e);
	if (r <= 0)
		return r;
	r = tensor_role(t, module, ret_role, e);
	return r < 0 ? r : target_name(module, *ret_role, name, e);
}

/*
 * An adapter may bring a whole projection that the base lacks, and also a change to it (`base_layer` with
 * lora_A and lora_B). Adds the tensor when it is such a projection. The first `n_base` weights belong to
 * the base.
 */
static int
projection_take(struct adapter *a, const struct st_tensor *t, size_t n_base, struct err *e)
{
	const struct adapter base = {.weights = a->weights, .count = n_base};
	char module[NAME_LEN_MAX], name[NAME_LEN_MAX];
	enum role role;
	int r = tensor_target(a, t, module, name, &role, e);

	if (r <= 0 || role != ROLE_REPLACE || !str_starts(name, "proj.") || weight_find(&base, name))
		return MIN(r, 0);
	return weight_add(a, name, t, e);
}

static int
tensor_apply(struct adapter *a, const struct st_tensor *t, struct err *e)
{
	char module[NAME_LEN_MAX], name[NAME_LEN_MAX];
	struct weight *w;
	enum role role;
	int r;

	r = tensor_target(a, t, module, name, &role, e);
	if (r <= 0)
		return r;
	if (!elem_is_weight(t->dtype))
		return err_set(e, E_BAD_CHECKPOINT,
			       "'%s': tensor '%s' is of dtype %s, not a floating point weight",
			       st_path(a->file), t->name, elem_name(t->dtype));
	a->used++;
	w = weight_find(a, name);
	if ((w && w->tensor == t) || (a->again && role == ROLE_REPLACE))
		return 0; /* projection_take() took it, or an earlier task */
	if (w && role != ROLE_REPLACE && !elem_is_weight(w->tensor->dtype))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "tensor '%s' of the base is of dtype %s: an adapter can only change a "
			       "floating point weight",
			       w->tensor->name, elem_name(w->tensor->dtype));
	if (!w)
		return weight_missing(a, name, t, e);
	return role == ROLE_REPLACE ? weight_replace(a, w, t, e) : delta_add(a, w, role, t, e);
}

static int
delta_fail(const struct weight *w, const char *words, struct err *e)
{
	const struct delta *d = w->delta;
	const struct st_tensor *of[] = {d->learned.a, d->learned.b, d->bias, d->rows, d->magnitude};
	size_t i = 0;

	while (!of[i])
		i++;
	return err_set(e, E_BAD_CHECKPOINT, "the adapter's tensor '%s' %s", of[i]->name, words);
}

/*
 * Checks the first two axes. In A, further axes must equal those of the base's kernel; in B they must be 1.
 */
static int
shape_check(const struct st_tensor *t, const struct st_tensor *base, int64_t rows, int64_t cols, bool ones,
	    struct err *e)
{
	bool good = t->rank == base->rank && t->shape[0] == rows && t->shape[1] == cols;
	int i;

	for (i = 2; good && i < t->rank; i++)
		good = t->shape[i] == (ones ? 1 : base->shape[i]);
	if (good)
		return 0;
	return err_set(e, E_BAD_CHECKPOINT,
		       "tensor '%s' has %d axes and the shape (%" PRId64 ", %" PRId64
		       "%s), but '%s' wants %d and (%" PRId64 ", %" PRId64 "%s)",
		       t->name, t->rank, t->shape[0], t->rank > 1 ? t->shape[1] : 0,
		       t->rank > 2 ? ", ..." : "", base->name, base->rank, rows, cols,
		       base->rank <= 2 ? ""
		       : ones          ? ", 1..."
				       : ", its kernel");
}

static int
magnitude_check(const struct adapter *a, const struct weight *w, struct err *e)
{
	const struct delta *d = w->delta;

	if (d->embedding && (d->magnitude || a->config->dora))
		return err_set(e, E_UNSUPPORTED_MODEL, "'%s': DoRA of an embedding is not supported",
			       d->learned.a->name);
	if (!d->magnitude)
		return a->config->dora
			       ? delta_fail(w, "has no lora_magnitude_vector, but use_dora is true", e)
			       : 0;
	if (!a->config->dora)
		return delta_fail(w, "has a lora_magnitude_vector, but use_dora is not true", e);
	if (d->magnitude->count != w->tensor->shape[0])
		return delta_fail(w, "has a lora_magnitude_vector whose length is not the number of rows", e);
	return 0;
}

/* peft supports the inits that change the base for linear layers only. */
static int
init_check(const struct adapter *a, const struct weight *w, struct err *e)
{
	struct delta *d = w->delta;

	d->init = a->config->init;
	if (d->init == WEIGHT_INIT_NONE)
		return 0;
	if (d->embedding || w->tensor->rank != 2)
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "'%s': peft has no init_lora_weights '%s' for a layer that is not linear",
			       d->learned.a->name,
			       json_string_value(json_object_get(a->config->json, "init_lora_weights")));
	if (d->learned.a->shape[0] > MIN(w->tensor->shape[0], w->tensor->shape[1]))
		return delta_fail(w, "has a rank above that of the weight", e);
	return 0;
}

static int
matrix_check(const struct adapter *a, const struct weight *w, struct err *e)
{
	const struct st_tensor *t = w->tensor;
	char module[NAME_LEN_MAX];
	struct delta *d = w->delta;
	enum role role;
	int64_t rank;
	int r;

	if (!d->learned.a || !d->learned.b)
		return delta_fail(w, "is one of a pair: lora_A or lora_B is missing", e);
	if (t->rank < 2 || (d->embedding && t->rank != 2))
		return delta_fail(w, "is for a weight that is not a matrix", e);
	rank = d->learned.a->rank ? d->learned.a->shape[0] : 0;
	r = shape_check(d->learned.a, t, rank, t->shape[d->embedding ? 0 : 1], false, e);
	if (r == 0)
		r = shape_check(d->learned.b, t, t->shape[d->embedding ? 1 : 0], rank, true, e);
	if (r == 0)
		r = magnitude_check(a, w, e);
	if (r == 0)
		r = tensor_role(d->learned.a, module, &role, e);
	if (r == 0)
		r = adapter_config_scale(a->config, module, rank, &d->learned.scale, e);
	return r < 0 ? r : init_check(a, w, e);
}

/* A bias is scaled by the rank of its module's weight, so that weight must have a delta too. */
static int
bias_check(const struct adapter *a, const struct weight *w, struct err *e)
{
	_cleanup_free_ char *name =
		str_printf("%.*s.weight", (int)(strlen(w->name) - strlen(".bias")), w->name);
	const struct weight *of = name ? weight_find(a, name) : NULL;
	char module[NAME_LEN_MAX];
	struct delta *d = w->delta;
	enum role role;

	if (!of || !of->delta || !of->delta->learned.a || !of->delta->learned.a->rank)
		return delta_fail(w, "is a bias, but its module has no lora_A", e);
	if (d->bias->rank != 1 || w->tensor->rank != 1 || d->bias->count != w->tensor->count)
		return delta_fail(w, "has another shape than the bias", e);
	(void)tensor_role(d->bias, module, &role, e);
	return adapter_config_scale(a->config, module, of->delta->learned.a->shape[0], &d->learned.scale, e);
}

static int
cmp_token(const void *pa, const void *pb)
{
	const struct token_row *a = pa, *b = pb;

	return (a->token > b->token) - (a->token < b->token);
}

/* Checks the rows that replace rows of an embedding, and sorts their tokens. */
static int
rows_check(const struct adapter *a, const struct weight *w, struct err *e)
{
	const struct st_tensor *t = w->delta->rows;
	const size_t n = (size_t)t->count ? (size_t)t->shape[0] : 0;
	_cleanup_free_ int64_t *tokens = calloc(n + 1, sizeof(*tokens));
	struct token_row *rows = w->delta->token = calloc(n + 1, sizeof(*rows));
	char module[NAME_LEN_MAX];
	enum role role;
	size_t i;
	int r;

	if (!tokens || !rows)
		return err_no_memory(e);
	if (w->delta->learned.a || w->delta->learned.b || w->delta->magnitude)
		return delta_fail(
			w, "changes an embedding whose rows are replaced too, which is not supported", e);
	if (n == 0 || t->rank != 2 || w->tensor->rank != 2 || t->shape[1] != w->tensor->shape[1])
		return delta_fail(w, "does not have rows of the embedding's length", e);
	r = tensor_role(t, module, &role, e);
	if (r == 0)
		r = adapter_config_tokens(a->config, module, w->tensor->shape[0], tokens, n, e);
	for (i = 0; i < n; i++)
		rows[i] = (struct token_row){.token = tokens[i], .source = i};
	qsort(rows, n, sizeof(*rows), cmp_token);
	for (i = 1; r == 0 && i < n; i++)
		if (rows[i].token == rows[i - 1].token)
			r = err_set(e, E_BAD_CHECKPOINT,
				    "trainable_token_indices of '%s' lists %" PRId64 " twice", module,
				    rows[i].token);
	return r;
}

static int
delta_check(const struct adapter *a, const struct weight *w, struct err *e)
{
	return w->delta->rows   ? rows_check(a, w, e)
	       : w->delta->bias ? bias_check(a, w, e)
				: matrix_check(a, w, e);
}

/* Puts the tensors of a task, or of an adapter without tasks, on the weights. The base has the first `n_base`. */
static int
tensors_apply(struct adapter *a, size_t n_base, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; i < st_count(a->file) && r == 0 && !a->again; i++)
		r = projection_take(a, st_get(a->file, i), n_base, e);
	qsort(a->weights, a->count, sizeof(*a->weights), cmp_weight);
	for (i = 0; i < st_count(a->file) && r == 0; i++)
		r = tensor_apply(a, st_get(a->file, i), e);
	for (i = 0; i < a->count && r == 0; i++)
		if (a->weights[i].delta)
			r = delta_check(a, &a->weights[i], e);
	return r;
}

int
adapter_apply(struct adapter_config *c, const char *task, const struct st_file *f, struct weight *weights,
	      size_t *count, struct err *e)
{
	struct adapter a = {.config = c, .task = task, .file = f, .weights = weights, .count = *count};
	int r = tensors_apply(&a, *count, e);

	*count = a.count;
	if (r == 0 && a.used == 0)
		r = err_set(e, E_BAD_CHECKPOINT, "'%s' has no tensor for any weight of the model",
			    st_path(f));
	return r;
}

/* ---- the factors of several tasks ---- */

/* Takes the factors of a weight, which then is as the base has it. */
static int
factors_take(struct weight *w, struct factors *ret, struct err *e)
{
	const struct delta *d = w->delta;

	if (d->magnitude || d->bias || d->rows || d->embedding || d->init != WEIGHT_INIT_NONE ||
	    w->tensor->rank != 2)
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "the adapter changes '%s' by more than the product of two matrices, which "
			       "cannot be kept beside the weight: convert one task (--task)",
			       w->tensor->name);
	*ret = d->learned;
	delta_free(&w->delta);
	return 0;
}

/*
 * Adds the weight that has the A, or the B, of all tasks. `of` has a row for each task, without tensors where a task
 * does not change the weight.
 */
static int
stack_add(struct adapter *a, const struct weight *base, bool is_a, const struct factors *of, size_t n,
	  struct err *e)
{
	const int stem = (int)(strlen(base->name) - strlen(".weight"));
	struct weight *w = &a->weights[a->count];
	struct stack_part *part;
	int64_t ranks = 0;
	size_t i, parts = 0;
	int r;

	for (i = 0; i < n; i++) {
		ranks += of[i].a ? of[i].a->shape[0] : 0;
		parts += of[i].a != NULL;
	}
	*w = (struct weight){.file = a->file};
	w->name = str_printf(ADAPTER_FACTOR_FORMAT, stem, base->name, is_a ? 'A' : 'B');
	if (!w->name)
		return err_no_memory(e);
	a->count++;
	r = stack_new(w, is_a ? 0 : 1, parts, is_a ? ranks : base->tensor->shape[0],
		      is_a ? base->tensor->shape[1] : ranks, w->name, e);
	part = r == 0 ? w->stack->part : NULL;
	for (i = 0; r == 0 && i < n; i++)
		if (of[i].a)
			*part++ = (struct stack_part){is_a ? of[i].a : of[i].b, is_a ? 1 : of[i].scale,
						      (int64_t)i};
	return r;
}

int
adapter_keep(struct adapter_config *c, const struct adapter_tasks *tasks, const struct st_file *f,
	     struct weight *weights, size_t *count, struct err *e)
{
	struct adapter a = {.config = c, .file = f, .weights = weights, .count = *count};
	_cleanup_free_ struct factors *of = calloc((*count + st_count(f)) * tasks->n + 1, sizeof(*of));
	const struct factors *row;
	size_t i, k, n;
	int r = of ? 0 : err_no_memory(e);

	for (k = 0; r == 0 && k < tasks->n; k++) {
		a.task = tasks->name[k];
		a.again = k > 0;
		r = tensors_apply(&a, *count, e);
		for (i = 0; r == 0 && i < a.count; i++)
			if (weights[i].delta)
				r = factors_take(&weights[i], &of[i * tasks->n + k], e);
	}
	n = a.count;
	for (i = 0; r == 0 && i < n; i++) {
		row = &of[i * tasks->n];
		for (k = 0; k < tasks->n && !row[k].a; k++)
			;
		if (k < tasks->n)
			r = stack_add(&a, &weights[i], true, row, tasks->n, e);
		if (r == 0 && k < tasks->n)
			r = stack_add(&a, &weights[i], false, row, tasks->n, e);
	}
	*count = a.count;
	return r;
}
