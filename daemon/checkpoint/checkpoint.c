#include "checkpoint.h"

#include <dirent.h>
#include <errno.h>

#include "base/fs.h"
#include "base/str.h"
#include "adapter.h"
#include "config.h"
#include "glance.h"
#include "index.h"
#include "modules.h"
#include "names.h"

struct checkpoint {
	struct folder *dir;
	struct folder *adapter_dir; /* NULL: no adapter */
	struct adapter_config adapter;
	char *task;                 /* of the adapter; NULL: it has none, or all are kept */
	struct adapter_tasks tasks; /* that are kept; none unless the job asks for all */
	json_t *config;
	struct st_file **files;
	size_t file_count;
	const struct st_file *dense; /* the file of the Dense module; NULL: there is none */
	struct index_lost lost;
	struct weight *weights; /* sorted by canonical name, which each owns */
	size_t weight_count;
};

static int
is_pickle(const struct dirent *d)
{
	return glance_is_pickle(d->d_name);
}

/* The folder has no safetensors: say which other weights it has. */
static int
weights_missing(const char *dir, const char *wanted, struct err *e)
{
	struct dirent **found = NULL;
	int i, n = scandir(dir, &found, is_pickle, alphasort);

	int r = glance_refuse(dir, wanted, n > 0 ? found[0]->d_name : NULL, e);

	for (i = 0; i < n; i++)
		free(found[i]);
	free(found);
	return r;
}

/* The shards that the index names. */
static int
shards_add(struct checkpoint *c, struct err *e)
{
	struct shards s;
	int r = index_open(c->dir, &s, e);

	if (r < 0)
		return r;
	c->files = s.file;
	c->file_count = s.count;
	c->lost = s.lost;
	return 0;
}

static int
file_add(struct checkpoint *c, struct folder *dir, const char *name, struct err *e)
{
	struct st_file **files = realloc(c->files, (c->file_count + 1) * sizeof(*files));
	int r;

	if (!files)
		return err_no_memory(e);
	c->files = files;
	r = st_open_in(dir, name, E_BAD_CHECKPOINT, &files[c->file_count], e);
	if (r == 0)
		c->file_count++;
	return r;
}

static int
files_open(struct checkpoint *c, struct err *e)
{
	if (folder_has(c->dir, WEIGHTS_NAME))
		return file_add(c, c->dir, WEIGHTS_NAME, e);
	return folder_has(c->dir, INDEX_NAME) ? shards_add(c, e)
					      : weights_missing(folder_path(c->dir), GLANCE_WEIGHTS, e);
}

/* The shards are open: add the file of a projection that is a module of its own. */
static int
dense_open(struct checkpoint *c, struct err *e)
{
	_cleanup_free_ char *file = NULL;
	int r = modules_dense_find(c->dir, &file, e);

	if (r < 0 || !file)
		return r;
	r = file_add(c, c->dir, file, e);
	if (r == 0)
		c->dense = c->files[c->file_count - 1];
	return r;
}

/* The weights of the modules behind the projection, under their own names. */
static int
modules_open(struct checkpoint *c, struct err *e)
{
	size_t i, count = 1;
	int r = 0;

	for (i = 0; r == 0 && i < count; i++) {
		_cleanup_free_ char *path = NULL, *file = NULL;

		r = modules_path(c->dir, i, &path, &count, e);
		if (r < 0 || !path)
			continue;
		file = str_printf("%s/" WEIGHTS_NAME, path);
		if (!file)
			return err_no_memory(e);
		if (folder_has(c->dir, file) && !(c->dense && str_ends(st_path(c->dense), file)))
			r = file_add(c, c->dir, file, e);
	}
	return r;
}

/* The tensors of a Dense module, linear.*, are dense.* until it is known whether the model has a projection. */
static int
name_of(const struct checkpoint *c, const struct st_file *f, const char *name, char *ret, struct err *e)
{
	static const struct name_rule rules[] = {{"linear.", "dense."}, {"", NULL}, {0}};

	return f == c->dense ? name_rules_apply(rules, name, ret, e) : name_canonical(name, ret, e);
}

static int
weight_add(struct checkpoint *c, const struct st_file *f, const struct st_tensor *t, struct err *e)
{
	struct weight *w = &c->weights[c->weight_count];
	char name[NAME_LEN_MAX];
	int r;

	if (name_is_peft(t->name))
		return err_set(
			e, E_UNSUPPORTED_MODEL,
			"'%s' holds a model under PEFT that was not merged (tensor '%s'); save it after "
			"merge_and_unload(), or give the folder of the adapter",
			st_path(f), t->name);
	r = name_of(c, f, t->name, name, e);
	if (r < 0)
		return err_context(e, "'%s'", st_path(f));
	if (r == 0)
		return 0;
	w->name = strdup(name);
	if (!w->name)
		return err_no_memory(e);
	w->tensor = t;
	w->file = f;
	c->weight_count++;
	return 0;
}

static void
weight_release(struct weight *w)
{
	free((char *)(uintptr_t)w->name);
	delta_free(&w->delta);
	stack_free(&w->stack);
}

static int
cmp_weight(const void *pa, const void *pb)
{
	const struct weight *a = pa, *b = pb;
	int d = strcmp(a->name, b->name);

	/* Two weights with the same name are an error; its text must not depend on their order in the
	 * files. */
	return d ? d : strcmp(a->tensor->name, b->tensor->name);
}

static int
cmp_name(const void *key, const void *pw)
{
	return strcmp(key, ((const struct weight *)pw)->name);
}

static int
weights_sort(struct checkpoint *c, struct err *e)
{
	size_t i;

	qsort(c->weights, c->weight_count, sizeof(*c->weights), cmp_weight);
	for (i = 1; i < c->weight_count; i++) {
		const struct weight *a = &c->weights[i - 1], *b = &c->weights[i];

		if (str_eq(a->name, b->name))
			return err_set(e, E_BAD_CHECKPOINT,
				       "'%s' in '%s' and '%s' in '%s' are the same tensor, '%s'",
				       a->tensor->name, st_path(a->file), b->tensor->name, st_path(b->file),
				       a->name);
	}
	return 0;
}

static int
weights_collect(struct checkpoint *c, struct err *e)
{
	size_t i, k, n = 1;
	int r;

	for (i = 0; i < c->file_count; i++)
		n += st_count(c->files[i]);
	c->weights = calloc(n, sizeof(*c->weights));
	if (!c->weights)
		return err_no_memory(e);
	for (i = 0; i < c->file_count; i++) {
		for (k = 0; k < st_count(c->files[i]); k++) {
			r = weight_add(c, c->files[i], st_get(c->files[i], k), e);
			if (r < 0)
				return r;
		}
	}
	return weights_sort(c, e);
}

/* 0: the weight is dropped. */
static int
weight_rename(struct weight *w, const struct name_rule *rules, struct err *e)
{
	char name[NAME_LEN_MAX], *copy;
	int r = name_rules_apply(rules, w->name, name, e);

	if (r <= 0 || str_eq(name, w->name))
		return r;
	copy = strdup(name);
	if (!copy)
		return err_no_memory(e);
	free((char *)(uintptr_t)w->name);
	w->name = copy;
	return r;
}

int
checkpoint_rename(struct checkpoint *c, const struct name_rule *rules, struct err *e)
{
	size_t i, kept = 0;
	int r = 0;

	for (i = 0; i < c->weight_count; i++) {
		if (r >= 0) /* after a failure the remaining weights are only moved up */
			r = weight_rename(&c->weights[i], rules, e);
		if (r == 0)
			weight_release(&c->weights[i]);
		else
			c->weights[kept++] = c->weights[i];
	}
	c->weight_count = kept;
	return r < 0 ? r : weights_sort(c, e);
}

int
checkpoint_dense_use(struct checkpoint *c, struct err *e)
{
	static const struct name_rule use[] = {{"dense.", "proj."}, {0}}, drop[] = {{"dense.", NULL}, {0}};

	if (!c->dense)
		return 0;
	return checkpoint_rename(c, checkpoint_find(c, "proj.weight") ? drop : use, e);
}

/* A model's own adapters for tasks go over it even where the job names no task: task_choose() then judges. */
static int
own_tasks_find(struct checkpoint *c, struct folder_roots roots, struct err *e)
{
	_cleanup_free_ char *path = fs_join(folder_path(c->dir), ADAPTER_TASKS_DIR);
	_cleanup_(folder_free) struct folder *dir = NULL;
	struct adapter_tasks tasks = {.n = 0};
	struct st_file *f = NULL;
	int r;

	if (!path)
		return err_no_memory(e);
	if (!folder_has(c->dir, ADAPTER_TASKS_DIR "/" ADAPTER_CONFIG_NAME) ||
	    !folder_has(c->dir, ADAPTER_TASKS_DIR "/" ADAPTER_WEIGHTS_NAME))
		return 0;
	r = folder_open(path, roots, E_BAD_CHECKPOINT, &dir, e);
	if (r == 0)
		r = st_open_in(dir, ADAPTER_WEIGHTS_NAME, E_BAD_CHECKPOINT, &f, e);
	if (r == 0)
		r = adapter_tasks_read(f, &tasks, e);
	if (r == 0 && tasks.n)
		r = adapter_config_read(dir, &c->adapter, e);
	if (r == 0 && tasks.n)
		c->adapter_dir = TAKE(dir);
	adapter_tasks_release(&tasks);
	st_free(&f);
	return r;
}

/* The model's folder, and the adapter that goes over it. */
static int
place_set(struct checkpoint *c, const char *dir, const struct checkpoint_choice *choice, struct err *e)
{
	_cleanup_(adapter_place_release) struct adapter_place place = ADAPTER_PLACE_INIT;
	int r;

	r = adapter_find(choice->roots, dir, choice->base, choice->adapter, choice->task, &place, e);
	if (r < 0)
		return r;
	if (!place.model && !place.base)
		return err_set(
			e, E_BAD_CHECKPOINT,
			"'%s' is a LoRA adapter that does not name its base: give the base with --base DIR",
			place.dir);
	if (!place.model)
		return err_set(
			e, E_BAD_CHECKPOINT,
			"'%s' is a LoRA adapter over '%s', which is not a folder on this machine: give the "
			"base with --base DIR",
			place.dir, place.base);
	r = folder_open(place.model, choice->roots, E_BAD_CHECKPOINT, &c->dir, e);
	if (r < 0)
		return place.dir ? err_context(e, "base") : r;
	if (!place.dir)
		return choice->adapter == ADAPTER_DEFAULT ? own_tasks_find(c, choice->roots, e) : 0;
	r = folder_open(place.dir, choice->roots, E_BAD_CHECKPOINT, &c->adapter_dir, e);
	return r < 0 ? r : adapter_config_read(c->adapter_dir, &c->adapter, e);
}

/* The adapter does not have the task, or has several and none is chosen. */
static int
task_refuse(const struct checkpoint *c, const char *task, const struct adapter_tasks *tasks, struct err *e)
{
	const char *path = st_path(c->files[c->file_count - 1]);
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	int r;

	adapter_tasks_put(tasks, &b);
	r = buf_failed(&b, e);
	if (r < 0)
		return r;
	if (!task)
		return err_set(e, E_BAD_REQUEST,
			       "'%s' has an adapter for each of the tasks %s: choose one with --task, or "
			       "--task " CHECKPOINT_TASK_ALL " for an artifact with all of them",
			       path, b.data);
	if (!tasks->n)
		return err_set(e, E_BAD_REQUEST,
			       "--task %s: the adapter '%s' is of no task: leave --task out", task, path);
	return err_set(e, E_BAD_REQUEST, "'%s' has no adapter for the task '%s', only for %s", path, task,
		       b.data);
}

/* Sets c->task, or c->tasks for all of them, from what the job asks for and the adapter has. */
static int
task_choose(struct checkpoint *c, const char *task, struct err *e)
{
	const struct st_file *f = c->files[c->file_count - 1];
	struct adapter_tasks tasks = {.n = 0};
	int r = adapter_tasks_read(f, &tasks, e);

	if (r == 0)
		r = adapter_tasks_order(&tasks, json_object_get(c->config, "task_names"), f, e);
	if (r == 0 && task && str_eq(task, CHECKPOINT_TASK_ALL) && tasks.n) {
		c->tasks = tasks;
		return 0;
	}
	if (r == 0 && (task ? !adapter_tasks_has(&tasks, task) : tasks.n > 1))
		r = task_refuse(c, task, &tasks, e);
	if (r == 0 && tasks.n && !(c->task = strdup(task ? task : tasks.name[0])))
		r = err_no_memory(e);
	adapter_tasks_release(&tasks);
	return r;
}

static int
adapter_put(struct checkpoint *c, const char *task, struct err *e)
{
	struct weight *weights;
	const struct st_file *f;
	int r;

	if (!folder_has(c->adapter_dir, ADAPTER_WEIGHTS_NAME))
		return weights_missing(folder_path(c->adapter_dir), "no " ADAPTER_WEIGHTS_NAME, e);
	r = file_add(c, c->adapter_dir, ADAPTER_WEIGHTS_NAME, e);
	if (r < 0)
		return r;
	r = task_choose(c, task, e);
	if (r < 0)
		return r;
	f = c->files[c->file_count - 1];
	weights = realloc(c->weights, (c->weight_count + st_count(f) + 1) * sizeof(*weights));
	if (!weights)
		return err_no_memory(e);
	c->weights = weights;
	r = c->tasks.n ? adapter_keep(&c->adapter, &c->tasks, f, c->weights, &c->weight_count, e)
		       : adapter_apply(&c->adapter, c->task, f, c->weights, &c->weight_count, e);
	return r < 0 ? r : weights_sort(c, e);
}

static void
checkpoint_freep(struct checkpoint **c)
{
	checkpoint_free(c);
}

int
checkpoint_open(const char *dir, const struct checkpoint_choice *choice, struct checkpoint **ret,
		struct err *e)
{
	static const struct checkpoint_choice none = {.base = NULL};
	_cleanup_(checkpoint_freep) struct checkpoint *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_no_memory(e);
	choice = choice ? choice : &none;
	if ((r = place_set(c, dir, choice, e)) < 0 || (r = config_read(c->dir, &c->config, e)) < 0 ||
	    (r = files_open(c, e)) < 0 || (r = dense_open(c, e)) < 0 || (r = modules_open(c, e)) < 0 ||
	    (r = weights_collect(c, e)) < 0 || (c->adapter_dir && (r = adapter_put(c, choice->task, e)) < 0))
		return r;
	*ret = TAKE(c);
	return 0;
}

void
checkpoint_free(struct checkpoint **pc)
{
	struct checkpoint *c = *pc;
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->weight_count; i++)
		weight_release(&c->weights[i]);
	free(c->weights);
	for (i = 0; i < c->file_count; i++)
		st_free(&c->files[i]);
	free(c->files);
	index_lost_release(&c->lost);
	json_decref(c->config);
	adapter_config_release(&c->adapter);
	free(c->task);
	adapter_tasks_release(&c->tasks);
	folder_free(&c->adapter_dir);
	folder_free(&c->dir);
	free(c);
	*pc = NULL;
}

const char *
checkpoint_dir(const struct checkpoint *c)
{
	return folder_path(c->dir);
}

const char *
checkpoint_adapter(const struct checkpoint *c)
{
	return c->adapter_dir ? folder_path(c->adapter_dir) : NULL;
}

const char *
checkpoint_task(const struct checkpoint *c)
{
	return c->task;
}

size_t
checkpoint_task_count(const struct checkpoint *c)
{
	return c->tasks.n;
}

const char *
checkpoint_task_name(const struct checkpoint *c, size_t i)
{
	assert(i < c->tasks.n);
	return c->tasks.name[i];
}

struct folder *
checkpoint_folder(const struct checkpoint *c)
{
	return c->dir;
}

struct folder *
checkpoint_adapter_folder(const struct checkpoint *c)
{
	return c->adapter_dir;
}

bool
checkpoint_adapter_within(const struct checkpoint *c)
{
	const char *adapter = checkpoint_adapter(c), *model = checkpoint_dir(c);

	return adapter && str_starts(adapter, model) && adapter[strlen(model)] == '/';
}

static size_t
init_count(const struct checkpoint *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->weight_count; i++)
		n += c->weights[i].delta && c->weights[i].delta->init != WEIGHT_INIT_NONE;
	return n;
}

int
checkpoint_init_apply(struct checkpoint *c, weight_init_fn find, checkpoint_progress_fn progress, void *arg,
		      struct err *e)
{
	const size_t total = init_count(c);
	size_t i, done = 0;
	int r = 0;

	for (i = 0; i < c->weight_count && r == 0; i++) {
		if (!c->weights[i].delta || c->weights[i].delta->init == WEIGHT_INIT_NONE)
			continue;
		r = weight_init_apply(&c->weights[i], find, e);
		progress(arg, ++done, total, c->weights[i].name);
	}
	return r;
}

const json_t *
checkpoint_config(const struct checkpoint *c)
{
	return c->config;
}

size_t
checkpoint_count(const struct checkpoint *c)
{
	return c->weight_count;
}

const struct weight *
checkpoint_get(const struct checkpoint *c, size_t i)
{
	assert(i < c->weight_count);
	return &c->weights[i];
}

const struct weight *
checkpoint_find(const struct checkpoint *c, const char *name)
{
	return bsearch(name, c->weights, c->weight_count, sizeof(*c->weights), cmp_name);
}

size_t
checkpoint_file_count(const struct checkpoint *c)
{
	return c->file_count;
}

const struct st_file *
checkpoint_file(const struct checkpoint *c, size_t i)
{
	assert(i < c->file_count);
	return c->files[i];
}

const struct index_lost *
checkpoint_lost(const struct checkpoint *c)
{
	return &c->lost;
}
