#include "artifact.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "spec/manifest.h"

void
artifact_release(struct artifact *a)
{
	json_decref(a->manifest);
	a->manifest = NULL;
}

static int
manifest_read(struct artifact *a, struct err *e)
{
	_cleanup_free_ char *path = fs_join(a->dir, MANIFEST_FILE);

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(a->dir))
		return err_set(e, E_USAGE,
			       "there is no folder '%s': the artifact was removed, or is elsewhere", a->dir);
	if (!fs_exists(path))
		return err_set(e, E_USAGE,
			       "'%s' has no " MANIFEST_FILE
			       ", so it is not an artifact, or not all of it was copied",
			       a->dir);
	return json_read(path, MANIFEST_LEN_MAX, E_MISMATCH, &a->manifest, e);
}

static int
format_check(struct artifact *a, struct err *e)
{
	const char *format;

	a->facts = manifest_facts(a->manifest);
	format = json_string_value(json_object_get(a->facts, "format"));
	a->processing = json_object_get(a->facts, "processing");
	if (!format || str_starts(format, "colconv-manifest/1"))
		return err_set(e, E_USAGE,
			       "'%s' is an artifact of format 1, whose manifest has no prompts; convert the "
			       "checkpoint again",
			       a->dir);
	if (!str_eq(format, MANIFEST_FORMAT))
		return err_set(e, E_USAGE,
			       "'%s' is an artifact of the format '%s', which this version does not know; "
			       "use a newer colconv",
			       a->dir, format);
	if (!json_is_object(a->processing) || !json_is_object(json_object_get(a->facts, "graphs")))
		return err_set(e, E_MISMATCH,
			       "the " MANIFEST_FILE " of '%s' lacks \"processing\" or \"graphs\"", a->dir);
	a->tasks = json_object_get(a->facts, "tasks");
	a->one_each = json_string_value(json_object_get(a->facts, "similarity")) &&
		      str_eq(json_string_value(json_object_get(a->facts, "similarity")), "cosine");
	return 0;
}

/*
 * Checks the files of graphs and weights: "text.onnx", "onnx/model.onnx_data". Users may edit the other
 * files.
 */
static int
file_check(const struct artifact *a, const json_t *file, struct err *e)
{
	const char *name = json_string_value(json_object_get(file, "name"));
	const json_int_t size = json_integer_value(json_object_get(file, "size"));
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (!name || !fs_path_ok(name))
		return err_set(e, E_MISMATCH, "the " MANIFEST_FILE " of '%s' lists a file without a name",
			       a->dir);
	if (!strstr(name, ".onnx"))
		return 0;
	path = fs_join(a->dir, name);
	if (!path)
		return err_no_memory(e);
	if (stat(path, &st) < 0)
		return err_set(e, E_MISMATCH, "'%s' is not whole: %s is missing", a->dir, name);
	if (st.st_size != size)
		return err_set(e, E_MISMATCH, "'%s' is not whole: %s has %lld bytes instead of %lld", a->dir,
			       name, (long long)st.st_size, (long long)size);
	return 0;
}

static int
files_check(const struct artifact *a, struct err *e)
{
	const json_t *files = json_object_get(a->facts, "files");
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(files); i++)
		r = file_check(a, json_array_get(files, i), e);
	return r;
}

int
artifact_open(struct artifact *a, const char *dir, struct err *e)
{
	int r;

	a->dir = dir;
	r = manifest_read(a, e);
	if (r == 0)
		r = format_check(a, e);
	return r < 0 ? r : files_check(a, e);
}

int
artifact_task(const struct artifact *a, const char *name, int64_t *ret, struct err *e)
{
	const json_t *number = json_object_get(a->tasks, name ? name : "");
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	const char *one;
	json_t *v;
	int r;

	*ret = a->tasks ? json_integer_value(number) : -1;
	if (a->tasks ? json_is_integer(number) : !name)
		return 0;
	if (!a->tasks)
		return err_set(e, E_USAGE, "--task %s: the graphs of '%s' take no task: leave --task out",
			       name, a->dir);
	json_object_foreach((json_t *)(uintptr_t)a->tasks, one, v)
		buf_printf(&b, "%s%s", b.len ? ", " : "", one);
	r = buf_failed(&b, e);
	return r < 0 ? r
		     : err_set(e, E_USAGE, "%s%s: '%s' has the tasks %s: choose one with --task",
			       name ? "unknown task " : "no task is given", name ? name : "", a->dir, b.data);
}

static const char *
graph_file(const struct artifact *a, enum variant v)
{
	const json_t *graphs = json_object_get(a->facts, "graphs");

	return json_string_value(json_object_get(json_object_get(graphs, variant_name(v)), "file"));
}

bool
artifact_has(const struct artifact *a, enum variant v)
{
	return graph_file(a, v) != NULL;
}

int
artifact_graph(const struct artifact *a, enum variant v, char **ret, struct err *e)
{
	const char *file = graph_file(a, v);

	if (!file || !fs_path_ok(file))
		return err_set(e, E_MISMATCH, "the " MANIFEST_FILE " of '%s' names no file of the graph %s",
			       a->dir, variant_name(v));
	*ret = fs_join(a->dir, file);
	return *ret ? 0 : err_no_memory(e);
}

int
artifact_graph_for(const struct artifact *a, bool page, enum variant *ret, struct err *e)
{
	static const enum variant texts[] = {VARIANT_TEXT, VARIANT_UNIFIED};
	static const enum variant pages[] = {VARIANT_PAGE, VARIANT_IMAGE, VARIANT_UNIFIED};
	const enum variant *list = page ? pages : texts;
	const size_t n = page ? ARRAY_LEN(pages) : ARRAY_LEN(texts);
	size_t i;

	for (i = 0; i < n; i++)
		if (artifact_has(a, list[i])) {
			*ret = list[i];
			return 0;
		}
	return err_set(e, E_USAGE,
		       "'%s' has no graph for %s; convert the checkpoint with --variants text,image", a->dir,
		       page ? "pages" : "queries");
}
