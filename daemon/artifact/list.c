#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"
#include "layout.h"
#include "spec/manifest.h"

void
artifact_list_release(struct artifact_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->files[i].name);
	free(l->files);
	*l = (struct artifact_list)ARTIFACT_LIST_INIT;
}

int
artifact_list_add(struct artifact_list *l, const char *name, uint64_t size, const char *sha256, struct err *e)
{
	struct artifact_file *files = realloc(l->files, (l->n + 1) * sizeof(*files));
	struct artifact_file *f;

	if (files)
		l->files = files;
	f = files ? &files[l->n] : NULL;
	if (!f || !(f->name = strdup(name)))
		return err_no_memory(e);
	f->size = size;
	(void)snprintf(f->sha256, sizeof(f->sha256), "%s", sha256);
	l->n++;
	return 0;
}

static bool
sha256_ok(const char *s)
{
	return strlen(s) == SHA256_HEX_LEN && strspn(s, "0123456789abcdef") == SHA256_HEX_LEN;
}

/*
 * The size of a file, which must exist and be a plain file. A worker's file has one link: with others it could be a
 * file that only the daemon may read.
 */
static int
plain_size(const char *dir, const char *name, bool shared, int64_t *ret, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct err why = ERR_INIT;
	struct stat st;
	int r;

	r = layout_open(dir, name, &fd, &st, &why);
	if (r < 0)
		return err_set(e, r == E_NOT_FOUND ? E_MISMATCH : r, "%s", why.msg);
	if (st.st_nlink != 1 && !shared)
		return err_set(e, E_MISMATCH, "'%s' has other links", name);
	*ret = st.st_size;
	return 0;
}

/* Adds one row of the manifest's list. The file must exist, be a plain file, and have the size in the row. */
static int
row_add(const char *dir, const json_t *row, bool shared, struct artifact_list *l, struct err *e)
{
	const char *name = NULL, *sha256 = NULL;
	int64_t size = 0, found;
	int r;

	r = json_get_str(row, "files[]", "name", JSON_REQUIRED, E_MISMATCH, &name, e);
	if (r == 0)
		r = json_get_int(row, "files[]", "size", JSON_REQUIRED, 0, INT64_MAX, E_MISMATCH, &size, e);
	if (r == 0)
		r = json_get_str(row, "files[]", "sha256", JSON_REQUIRED, E_MISMATCH, &sha256, e);
	if (r < 0)
		return r;
	if (!sha256_ok(sha256))
		return err_set(e, E_MISMATCH, "the manifest gives '%s' no SHA-256", name);
	r = plain_size(dir, name, shared, &found, e);
	if (r < 0)
		return r;
	if (found != size)
		return err_set(e, E_MISMATCH, "'%s' has %" PRId64 " bytes, and the manifest says %" PRId64,
			       name, found, size);
	return artifact_list_add(l, name, (uint64_t)size, sha256, e);
}

static int
by_name(const void *a, const void *b)
{
	const struct artifact_file *fa = a, *fb = b;

	return strcmp(fa->name, fb->name);
}

static int
manifest_list(const char *dir, bool shared, struct artifact_list *l, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, MANIFEST_FILE);
	_cleanup_(json_decrefp) json_t *j = NULL;
	char sha256[SHA256_HEX_LEN + 1];
	const json_t *rows = NULL;
	int64_t size;
	size_t i;
	int r;

	if (!path)
		return err_no_memory(e);
	r = plain_size(dir, MANIFEST_FILE, shared, &size, e);
	if (r == 0)
		r = json_read(path, MANIFEST_LEN_MAX, E_MISMATCH, &j, e);
	if (r == 0)
		r = json_get_array(manifest_facts(j), "", "files", JSON_REQUIRED, E_MISMATCH, &rows, e);
	for (i = 0; r == 0 && i < json_array_size(rows); i++)
		r = row_add(dir, json_array_get(rows, i), shared, l, e);
	/* The manifest cannot contain its own hash. It is small, so hash it here. */
	if (r == 0)
		r = sha256_file(path, sha256, e);
	if (r == 0)
		r = artifact_list_add(l, MANIFEST_FILE, (uint64_t)size, sha256, e);
	if (r < 0)
		return r;
	qsort(l->files, l->n, sizeof(*l->files), by_name);
	for (i = 1; i < l->n; i++)
		if (str_eq(l->files[i - 1].name, l->files[i].name))
			return err_set(e, E_MISMATCH, "the manifest lists '%s' twice", l->files[i].name);
	return 0;
}

/* The folder that is being checked. */
struct looked {
	const struct artifact_list *list;
	const char *below; /* its name within the artifact; NULL: the artifact itself */
};

/* Whether a file of the list lies in that folder. */
static bool
holds_file(const struct artifact_list *l, const char *folder)
{
	const size_t len = strlen(folder);
	size_t i;

	for (i = 0; i < l->n; i++)
		if (str_starts(l->files[i].name, folder) && l->files[i].name[len] == '/')
			return true;
	return false;
}

/* Refuses everything except the files of the list and the folders that hold them. */
static int
entry_check(const char *dir, const char *name, void *arg, struct err *e)
{
	const struct looked *in = arg;
	_cleanup_free_ char *own = in->below ? fs_join(in->below, name) : strdup(name);
	_cleanup_free_ char *path = fs_join(dir, name);
	const struct artifact_file key = {.name = own};
	struct looked deeper = {.list = in->list, .below = own};

	if (!own || !path)
		return err_no_memory(e);
	if (bsearch(&key, in->list->files, in->list->n, sizeof(key), by_name))
		return 0;
	if (holds_file(in->list, own))
		return layout_each(path, entry_check, &deeper, e);
	return err_set(e, E_MISMATCH, "'%s' is not in the manifest", own);
}

int
layout_list(const char *dir, bool shared, struct artifact_list *ret, struct err *e)
{
	_cleanup_(artifact_list_release) struct artifact_list list = ARTIFACT_LIST_INIT;
	struct looked top = {.list = &list};
	int r;

	r = manifest_list(dir, shared, &list, e);
	if (r == 0)
		r = layout_each(dir, entry_check, &top, e);
	if (r < 0)
		return r;
	*ret = list;
	list = (struct artifact_list)ARTIFACT_LIST_INIT;
	return 0;
}
