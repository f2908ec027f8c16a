#include "adapter_find.h"

#include <dirent.h>

#include "adapter_config.h"
#include "base/fs.h"
#include "base/str.h"
#include "index.h"

/* Folders to search for the base's name: the adapter's own folder and the two above it. */
#define LEVELS 3

static bool
dir_has(const char *dir, const char *name)
{
	_cleanup_free_ char *path = fs_join(dir, name);

	return path && fs_exists(path);
}

/* Copies `value` without trailing slashes, because "models/a/" has no last component to name the folder. */
static int
set_copy(char **slot, const char *value, struct err *e)
{
	size_t len = strlen(value);

	while (len > 1 && value[len - 1] == '/')
		len--;
	*slot = strndup(value, len);
	return *slot ? 0 : err_no_memory(e);
}

/* Returns dir/path when a model may lie there. */
static int
base_try(const char *dir, const char *path, char **ret, struct err *e)
{
	_cleanup_free_ char *full = fs_join(dir, path);

	if (!full)
		return err_no_memory(e);
	if (dir_has(full, "config.json") || dir_has(full, ADAPTER_CONFIG_NAME))
		*ret = TAKE(full);
	return 0;
}

/* "/models/a/" becomes "/models". */
static void
path_up(char *path)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		n--;
	while (n && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	path[n] = '\0';
}

/*
 * Finds the folder of the base that the adapter in `dir` calls `name`. *ret stays NULL when it is not on this
 * machine.
 */
static int
base_locate(const char *dir, const char *name, char **ret, struct err *e)
{
	_cleanup_free_ char *at = strdup(dir);
	int level, r = 0;

	if (!at)
		return err_no_memory(e);
	if (name[0] == '/')
		return fs_is_dir(name) ? set_copy(ret, name, e) : 0;
	for (level = 0; level < LEVELS && *at && r == 0 && !*ret; level++) {
		r = base_try(at, name, ret, e);
		if (r == 0 && !*ret && level > 0 && fs_name_ok(fs_basename(name)))
			r = base_try(at, fs_basename(name), ret, e);
		path_up(at);
	}
	return r;
}

static int
base_find(struct adapter_place *p, struct folder_roots roots, struct err *e)
{
	_cleanup_(adapter_config_release) struct adapter_config config = ADAPTER_CONFIG_INIT;
	_cleanup_(folder_free) struct folder *dir = NULL;
	int r;

	r = folder_open(p->dir, roots, E_BAD_CHECKPOINT, &dir, e);
	if (r == 0)
		r = adapter_config_read(dir, &config, e);
	if (r < 0 || !config.base || !*config.base)
		return r;
	r = set_copy(&p->base, config.base, e);
	return r < 0 ? r : base_locate(p->dir, p->base, &p->model, e);
}

static int
both_refuse(const char *dir, struct err *e)
{
	return err_set(
		e, E_BAD_REQUEST,
		"'%s' holds a model and an adapter, which can be read in two ways: --adapter merge puts "
		"the adapter on the folder's own model, --adapter ignore converts the model without it "
		"(with --base DIR the adapter goes over the base in DIR)",
		dir);
}

/* The adapter in `dir`, over the base that was given or, without one, the base that it names. */
static int
place_adapter(struct folder_roots roots, const char *dir, const char *base, struct adapter_place *p,
	      struct err *e)
{
	int r = set_copy(&p->dir, dir, e);

	if (r < 0)
		return r;
	return base ? set_copy(&p->model, base, e) : base_find(p, roots, e);
}

static int
place_model(const char *dir, const char *base, enum adapter_use use, struct adapter_place *p, struct err *e)
{
	if (base)
		return err_set(e, E_BAD_REQUEST, "a base was given, but '%s' is not an adapter", dir);
	if (use == ADAPTER_MERGE)
		return err_set(e, E_BAD_REQUEST, "--adapter merge: '%s' does not hold an adapter", dir);
	return set_copy(&p->model, dir, e);
}

static int
place_both(struct folder_roots roots, const char *dir, const char *base, enum adapter_use use,
	   struct adapter_place *p, struct err *e)
{
	if (use == ADAPTER_IGNORE && base)
		return err_set(e, E_BAD_REQUEST,
			       "a base was given, but --adapter ignore leaves the adapter out");
	if (use == ADAPTER_IGNORE)
		return set_copy(&p->model, dir, e);
	if (use == ADAPTER_DEFAULT && !base)
		return both_refuse(dir, e);
	return place_adapter(roots, dir, base ? base : dir, p, e);
}

/* The adapters for tasks that lie within a model's folder. */
static int
place_task(struct folder_roots roots, const char *dir, const char *base, enum adapter_use use,
	   const char *task, struct adapter_place *p, struct err *e)
{
	_cleanup_free_ char *sub = fs_join(dir, ADAPTER_TASKS_DIR);

	if (!sub)
		return err_no_memory(e);
	if (use == ADAPTER_IGNORE)
		return err_set(e, E_BAD_REQUEST,
			       "--task %s asks for an adapter, and --adapter ignore leaves it out", task);
	if (!dir_has(sub, ADAPTER_CONFIG_NAME))
		return err_set(e, E_BAD_REQUEST,
			       "--task %s: '%s' has no adapters for tasks (" ADAPTER_TASKS_DIR
			       "/" ADAPTER_CONFIG_NAME "): leave --task out",
			       task, dir);
	return place_adapter(roots, sub, base ? base : dir, p, e);
}

/* Finds subfolders of `dir` that hold an adapter: the first two by name are enough for the error message. */
static int
subfolders(const char *dir, char *ret[2], struct err *e)
{
	struct dirent **names = NULL;
	int i, n = scandir(dir, &names, NULL, alphasort), found = 0, r = 0;

	for (i = 0; i < n; i++) {
		_cleanup_free_ char *sub = fs_join(dir, names[i]->d_name);

		if (!sub)
			r = err_no_memory(e);
		else if (names[i]->d_name[0] != '.' && found < 2 && dir_has(sub, ADAPTER_CONFIG_NAME))
			ret[found++] = TAKE(sub);
		free(names[i]);
	}
	free(names);
	return r;
}

/*
 * A folder without a model and without an adapter: use the adapter of its only subfolder, or treat it as a
 * checkpoint with missing parts.
 */
static int
place_neither(struct folder_roots roots, const char *dir, const char *base, enum adapter_use use,
	      struct adapter_place *p, struct err *e)
{
	char *sub[2] = {NULL, NULL};
	int r = subfolders(dir, sub, e);

	if (r == 0 && sub[1])
		r = err_set(e, E_BAD_REQUEST,
			    "'%s' holds adapters in several subfolders, '%s' and '%s' among them: give the "
			    "one to convert",
			    dir, fs_basename(sub[0]), fs_basename(sub[1]));
	else if (r == 0 && sub[0])
		r = place_adapter(roots, sub[0], base, p, e);
	else if (r == 0)
		r = place_model(dir, base, use, p, e);
	free(sub[0]);
	free(sub[1]);
	return r;
}

int
adapter_find(struct folder_roots roots, const char *dir, const char *base, enum adapter_use use,
	     const char *task, struct adapter_place *ret, struct err *e)
{
	const bool adapter = dir_has(dir, ADAPTER_CONFIG_NAME),
		   weights = dir_has(dir, WEIGHTS_NAME) || dir_has(dir, INDEX_NAME);
	struct adapter_place p = ADAPTER_PLACE_INIT;
	int r;

	if (task && weights && !adapter)
		r = place_task(roots, dir, base, use, task, &p, e);
	else if (adapter && weights)
		r = place_both(roots, dir, base, use, &p, e);
	else if (adapter)
		r = place_adapter(roots, dir, base, &p, e);
	else if (weights || dir_has(dir, "config.json"))
		r = place_model(dir, base, use, &p, e);
	else
		r = place_neither(roots, dir, base, use, &p, e);
	if (r == 0 && use == ADAPTER_IGNORE && p.dir)
		r = err_set(e, E_BAD_REQUEST, "--adapter ignore: '%s' holds an adapter and nothing else",
			    dir);
	if (r < 0)
		adapter_place_release(&p);
	else
		*ret = p;
	return r;
}

void
adapter_place_release(struct adapter_place *p)
{
	free(p->dir);
	free(p->model);
	free(p->base);
	*p = (struct adapter_place)ADAPTER_PLACE_INIT;
}
