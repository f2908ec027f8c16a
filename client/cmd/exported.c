#include "exported.h"

#include <dirent.h>
#include <errno.h>

#include "base/fs.h"
#include "base/str.h"
#include "onnx/inspect.h"
#include "spec/input_name.h"
#include "spec/manifest.h"

void
exported_release(struct exported *x)
{
	int v;

	for (v = 0; v < VARIANT_MAX; v++)
		free(x->file[v]);
	json_decref(x->facts);
}

int
exported_name(struct exported *x, const char *dir, const char *given, struct err *e)
{
	const char *eq = strchr(given, '=');
	_cleanup_free_ char *name = eq ? strndup(given, (size_t)(eq - given)) : NULL, *path = NULL;
	enum variant v;
	int r;

	if (!eq || !eq[1])
		return err_set(e, E_USAGE, "--model must be GRAPH=FILE, not '%s'", given);
	if (!name)
		return err_no_memory(e);
	r = variant_from_str(name, E_USAGE, &v, e);
	if (r < 0)
		return r;
	if (x->file[v])
		return err_set(e, E_USAGE, "--model %s is given twice", name);
	path = fs_join(dir, eq + 1);
	x->file[v] = path && fs_exists(path) ? TAKE(path) : strdup(eq + 1);
	if (!x->file[v])
		return err_no_memory(e);
	return fs_exists(x->file[v])
		       ? 0
		       : err_set(e, E_USAGE, "there is no file '%s', in '%s' or here", eq + 1, dir);
}

/* ---- an artifact ---- */

static int
manifest_find(struct exported *x, const char *dir, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, MANIFEST_FILE);
	json_auto_t *manifest = NULL;
	const char *file;
	const json_t *g;
	int v, r;

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(path))
		return 0;
	r = json_read(path, MANIFEST_LEN_MAX, E_MISMATCH, &manifest, e);
	if (r < 0)
		return r;
	g = json_object_get(manifest_facts(manifest), "graphs");
	if (!json_is_object(g))
		return 0; /* somebody else's */
	x->facts = json_incref((json_t *)(uintptr_t)manifest_facts(manifest));
	for (v = 0; v < VARIANT_MAX; v++) {
		file = json_string_value(
			json_object_get(json_object_get(g, variant_name((enum variant)v)), "file"));
		if (!file || x->file[v])
			continue;
		if (!fs_path_ok(file))
			return err_set(e, E_MISMATCH, "'%s' names the file '%s', which is not in its folder",
				       path, file);
		x->file[v] = fs_join(dir, file);
		if (!x->file[v])
			return err_no_memory(e);
	}
	return 0;
}

/* ---- files of any program ---- */

static bool
has_input(const json_t *graph, const char *name)
{
	const char *given, *found;
	json_t *in;
	size_t i;

	json_array_foreach(json_object_get(graph, "inputs"), i, in) {
		given = json_string_value(json_object_get(in, "name"));
		found = given ? input_name_find(given) : NULL;
		if (found && str_eq(found, name))
			return true;
	}
	return false;
}

/*
 * A graph with ids alone is for texts, one with ids and pixels for pages. Others, such as a vision tower by itself, are no retriever
 * and are left out.
 */
static int
file_look(struct exported *x, const char *path, struct err *e)
{
	json_auto_t *graph = NULL;
	enum variant v;
	int r = onnx_inspect(path, &graph, e);

	if (r < 0 || !has_input(graph, "input_ids"))
		return r;
	v = has_input(graph, "pixel_values") ? VARIANT_IMAGE : VARIANT_TEXT;
	if (v == VARIANT_IMAGE && x->file[VARIANT_UNIFIED])
		return 0;
	if (x->file[v])
		return err_set(e, E_USAGE,
			       "'%s' and '%s' could both be the graph for %s; name one with --model %s=FILE",
			       x->file[v], path, v == VARIANT_TEXT ? "texts" : "pages", variant_name(v));
	x->file[v] = strdup(path);
	return x->file[v] ? 0 : err_no_memory(e);
}

static int
is_onnx(const struct dirent *d)
{
	return str_ends(d->d_name, ".onnx");
}

static int
folder_look(struct exported *x, const char *dir, struct err *e)
{
	struct dirent **names;
	int i, n, r = 0;

	n = scandir(dir, &names, is_onnx, alphasort);
	if (n < 0)
		return err_errno(e, E_USAGE, errno, "cannot read the folder '%s'", dir);
	for (i = 0; i < n; i++) {
		_cleanup_free_ char *path = fs_join(dir, names[i]->d_name);

		if (r == 0)
			r = path ? file_look(x, path, e) : err_no_memory(e);
		free(names[i]);
	}
	free(names);
	return r;
}

static bool
is_empty(const struct exported *x)
{
	int v;

	for (v = 0; v < VARIANT_MAX; v++)
		if (x->file[v])
			return false;
	return true;
}

int
exported_find(struct exported *x, const char *dir, struct err *e)
{
	_cleanup_free_ char *below = fs_join(dir, "onnx");
	const bool named = !is_empty(x);
	int r;

	if (!below)
		return err_no_memory(e);
	r = manifest_find(x, dir, e);
	if (r < 0 || x->facts || named)
		return r;
	r = folder_look(x, dir, e);
	if (r == 0 && fs_is_dir(below))
		r = folder_look(x, below, e);
	if (r == 0 && is_empty(x))
		r = err_set(e, E_USAGE,
			    "no .onnx file in '%s' has input ids; name the files with --model GRAPH=FILE, "
			    "and their inputs with --input",
			    dir);
	return r;
}
