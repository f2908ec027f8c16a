#include "verify.h"

#include <inttypes.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "base/loop.h"
#include "base/str.h"
#include "client/show/job.h"
#include "spec/manifest.h"
#include "tree.h"

int
problem_add(json_t *problems, const struct err *what, struct err *e)
{
	return json_array_append_new(problems, json_string(what->msg)) < 0 ? err_no_memory(e) : 0;
}

/* ---- the manifest ---- */

static int
file_check(struct tree_hashing *h, const char *dir, const json_t *listed, struct err *e)
{
	const char *name = job_str(listed, "name");
	const uint64_t size = job_whole(listed, "size");
	char sha256[SHA256_HEX_LEN + 1];
	_cleanup_close_ int fd = -1;
	uint64_t have;
	int r;

	if (!fs_path_ok(name))
		return err_set(e, E_MISMATCH,
			       "manifest.json lists '%s', which is not the name of a file in the folder",
			       name);
	r = tree_open(dir, name, &fd, &have, e);
	if (r < 0)
		return r;
	if (have != size)
		return err_set(e, E_MISMATCH,
			       "'%s' has %" PRIu64 " bytes, not the %" PRIu64 " that manifest.json lists",
			       name, have, size);
	if (!h->bar)
		return 0;
	r = tree_hash_file(h, fd, name, sha256, e);
	if (r == 0 && !str_eq(sha256, job_str(listed, "sha256")))
		r = err_set(e, E_MISMATCH,
			    "'%s' has changed: its sha256 is not the one that manifest.json lists", name);
	return r;
}

int
verify_manifest(const char *dir, const json_t *manifest, struct bar *bar, json_t *problems, struct err *e)
{
	struct tree_hashing h = {.bar = bar};
	const json_t *files;
	struct err what;
	json_t *listed;
	size_t i;
	int r;

	r = json_get_array(manifest, "", "files", JSON_REQUIRED, E_MISMATCH, &files, e);
	if (r < 0)
		return err_context(e, "manifest.json");
	json_array_foreach(files, i, listed)
		h.total += job_whole(listed, "size");
	json_array_foreach(files, i, listed) {
		what = (struct err)ERR_INIT;
		if (file_check(&h, dir, listed, &what) < 0)
			r = problem_add(problems, &what, e);
		if (r < 0)
			break;
	}
	return r;
}

/* ---- an artifact to publish ---- */

static int
manifest_read(const char *dir, json_t **ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, MANIFEST_FILE);

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(path))
		return err_set(e, E_USAGE, "'%s' has no " MANIFEST_FILE ": it is not an artifact", dir);
	return json_read(path, MANIFEST_LEN_MAX, E_MISMATCH, ret, e);
}

/* Compares the hashes of the files with the manifest's. */
static int
listed_check(const json_t *manifest, const json_t *files, struct err *e)
{
	const json_t *list, *file;
	json_t *listed;
	size_t i;
	int r;

	r = json_get_array(manifest_facts(manifest), "", "files", JSON_REQUIRED, E_MISMATCH, &list, e);
	if (r < 0)
		return err_context(e, MANIFEST_FILE);
	json_array_foreach(list, i, listed) {
		file = tree_find(files, job_str(listed, "name"));
		if (!file)
			return err_set(e, E_MISMATCH, "'%s' is missing, and " MANIFEST_FILE " lists it",
				       job_str(listed, "name"));
		if (!str_eq(job_str(file, "sha256"), job_str(listed, "sha256")))
			return err_set(e, E_MISMATCH,
				       "'%s' has changed: its sha256 is not the one that " MANIFEST_FILE
				       " lists",
				       job_str(listed, "name"));
	}
	return 0;
}

int
verify_artifact(const char *dir, const char *label, json_t **ret, struct err *e)
{
	json_auto_t *manifest = NULL, *files = json_array();
	struct board board;
	struct bar bar;
	int r;

	r = manifest_read(dir, &manifest, e);
	if (r == 0)
		r = tree_list(dir, files, e);
	if (r < 0)
		return r;
	board_init(&board, stderr);
	bar_init(&bar, &board, label);
	bar_stage(&bar, "hash", loop_now_ms());
	r = tree_hash(dir, files, &bar, e);
	bar_drop(&bar);
	bar_release(&bar);
	if (r == 0)
		r = listed_check(manifest, files, e);
	if (r == 0)
		*ret = json_incref(files);
	return r;
}

/* ---- references ---- */

static int
data_check(const char *dir, const char *graph, const json_t *data, struct err *e)
{
	/* A graph names the files of its weights as they are seen from its own folder. */
	_cleanup_free_ char *name =
		str_printf("%.*s%s", (int)(fs_basename(graph) - graph), graph, job_str(data, "name"));
	_cleanup_close_ int fd = -1;
	uint64_t size;
	int r;

	if (!name)
		return err_no_memory(e);
	r = tree_open(dir, name, &fd, &size, e);
	if (r == 0 && size < job_whole(data, "end"))
		r = err_set(e, E_MISMATCH, "'%s' has %" PRIu64 " bytes, and the weights reach to %" PRIu64,
			    name, size, job_whole(data, "end"));
	return r;
}

int
verify_data(const char *dir, const json_t *graph, json_t *problems, struct err *e)
{
	struct err what;
	json_t *data;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(graph, "data"), i, data) {
		what = (struct err)ERR_INIT;
		if (data_check(dir, job_str(graph, "file"), data, &what) < 0) {
			(void)err_context(&what, "%s", job_str(graph, "file"));
			r = problem_add(problems, &what, e);
		}
		if (r < 0)
			break;
	}
	return r;
}
