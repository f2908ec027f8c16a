#include "preflight.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"
#include "checkpoint/glance.h"
#include "spec/repo.h"
#include "spec/roots.h"
#include "spec/told.h"

static const enum adapter_use uses[] = {
	[SPEC_ADAPTER_AUTO - SPEC_ADAPTER_AUTO] = ADAPTER_DEFAULT,
	[SPEC_ADAPTER_MERGE - SPEC_ADAPTER_AUTO] = ADAPTER_MERGE,
	[SPEC_ADAPTER_IGNORE - SPEC_ADAPTER_AUTO] = ADAPTER_IGNORE,
};

/* The type of a file beneath the roots; 0: it does not exist, or nobody may see it. */
static mode_t
type_of(const char *path, struct folder_roots roots)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	size_t i;

	if (roots.n == 0)
		return stat(path, &st) == 0 ? st.st_mode & S_IFMT : 0;
	for (i = 0; i < roots.n && fd < 0; i++) {
		const char *rest = fs_below(roots.dir[i], path);

		if (rest)
			(void)fs_open_beneath(roots.dir[i], rest, O_PATH, E_IO, &fd, NULL);
	}
	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

/* The path cannot be opened as a folder: say what it is instead. Passes what may be a folder after all. */
static int
folder_refuse(const char *path, struct folder_roots roots, struct err *e)
{
	const mode_t type = type_of(path, roots);

	if (type == S_IFDIR)
		return 0;
	if (type)
		return err_set(e, E_BAD_REQUEST, "'%s' is a file, not a folder; give the folder '%.*s'", path,
			       (int)MAX(fs_basename(path) - path - 1, 1), path);
	if (repo_id_ok(path + 1))
		return err_set(
			e, E_BAD_REQUEST,
			"the folder '%s' does not exist on the daemon's host; for the repository on the "
			"Hub write '%s', without the first '/'",
			path, path + 1);
	return err_set(e, E_BAD_REQUEST, "the folder '%s' does not exist on the daemon's host", path);
}

/* OWNER/NAME, where a root has a checkpoint of that name too. */
static int
repo_check(const char *repo, const json_t *body, struct folder_roots roots, struct err *e)
{
	size_t i;

	for (i = 0; i < roots.n && !json_object_get(body, "revision"); i++) {
		_cleanup_free_ char *dir = fs_join(roots.dir[i], repo);
		_cleanup_(folder_free) struct folder *f = NULL;

		if (!dir || folder_open(dir, roots, E_IO, &f, NULL) < 0)
			continue;
		if (folder_has(f, "config.json") || folder_has(f, "adapter_config.json"))
			return err_set(e, E_BAD_REQUEST,
				       "'%s' can be the folder '%s' or the repository on the Hub; write the "
				       "folder's whole path, or add a revision such as \"main\" for the "
				       "repository",
				       repo, dir);
	}
	return 0;
}

static int
source_check(const char *source, enum adapter_use use, bool task, struct folder_roots roots, struct err *e)
{
	_cleanup_(folder_free) struct folder *f = NULL;
	json_auto_t *config = NULL;
	struct told told;
	int r;

	r = folder_open(source, roots, E_BAD_REQUEST, &f, NULL);
	if (r == E_BAD_REQUEST)
		return folder_refuse(source, roots, e);
	if (r < 0)
		return 0; /* outside the roots: spec_check_roots() says so */
	r = glance_checkpoint(f, use, task, &config, e);
	if (r < 0 || !config)
		return r;
	told_read(config, &told);
	return told_check(&told, e);
}

/* A case with the original's embeddings: a file that exists and is not a pointer to one. */
static int
reference_check(const char *path, struct folder_roots roots, struct err *e)
{
	const char *name = fs_basename(path);
	_cleanup_free_ char *dir = strndup(path, (size_t)(name - path));
	_cleanup_(folder_free) struct folder *f = NULL;
	const mode_t type = type_of(path, roots);

	if (!dir)
		return err_no_memory(e);
	if (type && type != S_IFREG)
		return err_set(e, E_BAD_REQUEST, "'%s' is not a file", path);
	if (folder_open(dir, roots, E_BAD_REQUEST, &f, NULL) == 0 && folder_has(f, name))
		return glance_file(f, name, E_BAD_REFERENCE, e);
	return type ? 0
		    : err_set(e, E_BAD_REQUEST, "the file '%s' does not exist on the daemon's host", path);
}

/* Errors that only concern this moment or this process are not the job's: the worker looks again. */
static bool
is_final(int r)
{
	return r != E_SOURCE_CHANGED && r != E_IO && r != E_NO_MEMORY;
}

/* Names the field of the error, as spec_check_roots() does. */
static int
field_end(int r, const char *name, struct err *e)
{
	if (r == 0)
		return 0;
	if (is_final(r))
		return err_context(e, "%s", name);
	*e = (struct err)ERR_INIT;
	return 0;
}

static int
folder_check_field(const char *source, const char *name, const struct spec *spec, const json_t *body,
		   struct folder_roots roots, char *field, struct err *e)
{
	const bool model = source == spec->model;
	int r;

	(void)snprintf(field, SPEC_FIELD_LEN, "%s", name);
	if (spec_is_repo(source))
		r = repo_check(source, body, roots, e);
	else
		r = source_check(source, model ? uses[spec->adapter - SPEC_ADAPTER_AUTO] : ADAPTER_DEFAULT,
				 model && spec->task != SPEC_TASK_AUTO, roots, e);
	return field_end(r, name, e);
}

int
preflight(const struct spec *spec, const json_t *body, struct folder_roots roots, char field[SPEC_FIELD_LEN],
	  struct err *e)
{
	struct err why = ERR_INIT;
	size_t i;
	int r;

	r = folder_check_field(spec->model, "model", spec, body, roots, field, &why);
	if (r == 0 && spec->base)
		r = folder_check_field(spec->base, "base", spec, body, roots, field, &why);
	for (i = 0; r == 0 && i < spec->reference.n; i++) {
		(void)snprintf(field, SPEC_FIELD_LEN, "reference[%zu]", i);
		r = field_end(reference_check(spec->reference.item[i], roots, &why), field, &why);
	}
	if (r < 0)
		return err_set(e, r, "%s", why.msg);
	field[0] = '\0';
	return 0;
}
