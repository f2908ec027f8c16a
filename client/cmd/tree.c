#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"
#include "base/loop.h"
#include "base/str.h"
#include "client/show/job.h"

#define BLOCK_LEN (1u << 20)

/* An artifact has no deeper folders; others may have any. */
#define FOLDER_DEPTH_MAX 8

static void
closedirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

/* ---- the list ---- */

int
tree_add(const char *dir, const char *name, json_t *files, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, name);
	struct stat st;
	bool there = path && lstat(path, &st) == 0;
	json_t *row = json_pack("{s:s, s:o}", "name", name, "size",
				there ? json_integer((json_int_t)st.st_size) : json_null());

	return !path || json_array_append_new(files, row) < 0
		       ? err_set(e, E_USAGE, "'%s' has a file whose name is not UTF-8", dir)
		       : 0;
}

static int
name_cmp(const void *a, const void *b)
{
	return strcmp(job_str(*(json_t *const *)a, "name"), job_str(*(json_t *const *)b, "name"));
}

/* Sorts by name: a folder has no order. */
static int
files_sort(json_t *files, struct err *e)
{
	const size_t n = json_array_size(files);
	_cleanup_free_ json_t **row = calloc(n + 1, sizeof(json_t *));
	json_t *item;
	size_t i;

	if (!row)
		return err_no_memory(e);
	json_array_foreach(files, i, item)
		row[i] = json_incref(item);
	qsort(row, n, sizeof(json_t *), name_cmp);
	for (i = 0; i < n; i++)
		(void)json_array_set_new(files, i, row[i]);
	return 0;
}

static int folder_list(const char *dir, const char *below, int depth, json_t *files, struct err *e);

static int
entry_add(const char *dir, const char *name, int depth, json_t *files, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, name);
	struct stat st;

	if (!path)
		return err_no_memory(e);
	if (depth < FOLDER_DEPTH_MAX && lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return folder_list(dir, name, depth + 1, files, e);
	return tree_add(dir, name, files, e);
}

/* The files of the folder `below`, which is "" for `dir` itself, and of those in it. */
static int
folder_list(const char *dir, const char *below, int depth, json_t *files, struct err *e)
{
	_cleanup_free_ char *path = *below ? fs_join(dir, below) : strdup(dir);
	_cleanup_(closedirp) DIR *d = path ? opendir(path) : NULL;
	struct dirent *ent;
	int r = 0;

	if (!d)
		return err_errno(e, E_NOT_FOUND, errno, "cannot open the folder '%s'", path ? path : below);
	while (r == 0 && (ent = readdir(d))) {
		_cleanup_free_ char *name = *below ? fs_join(below, ent->d_name) : strdup(ent->d_name);

		if (str_eq(ent->d_name, ".") || str_eq(ent->d_name, ".."))
			continue;
		r = name ? entry_add(dir, name, depth, files, e) : err_no_memory(e);
	}
	return r;
}

int
tree_list(const char *dir, json_t *files, struct err *e)
{
	int r = folder_list(dir, "", 0, files, e);

	return r < 0 ? r : files_sort(files, e);
}

json_t *
tree_find(const json_t *files, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(files, i, row)
		if (str_eq(job_str(row, "name"), name))
			return row;
	return NULL;
}

/* ---- the content ---- */

int
tree_open(const char *dir, const char *name, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	r = fs_open_beneath(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, E_MISMATCH, &fd, e);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return err_errno(e, E_MISMATCH, errno, "cannot stat '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, E_MISMATCH, "'%s' is not a regular file", name);
	if (st.st_nlink > 1)
		return err_set(e, E_MISMATCH, "'%s' has another name (a hard link)", name);
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int
tree_hash_file(struct tree_hashing *h, int fd, const char *name, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_(sha256_free) struct sha256 *s = NULL;
	_cleanup_free_ char *block = malloc(BLOCK_LEN);
	ssize_t n;
	int r;

	if (!block)
		return err_no_memory(e);
	r = sha256_new(&s, e);
	if (r < 0)
		return r;
	while ((n = read(fd, block, BLOCK_LEN)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, E_MISMATCH, errno, "cannot read '%s'", name);
		sha256_add(s, block, (size_t)n);
		h->done += (uint64_t)n;
		if (h->bar)
			bar_progress(h->bar, h->done, h->total, "bytes", name, loop_now_ms());
	}
	sha256_finish(s, ret);
	return 0;
}

static int
row_hash(struct tree_hashing *h, const char *dir, json_t *row, struct err *e)
{
	const char *name = job_str(row, "name");
	char sha256[SHA256_HEX_LEN + 1];
	_cleanup_close_ int fd = -1;
	uint64_t size;
	int r;

	r = tree_open(dir, name, &fd, &size, e);
	if (r == 0)
		r = tree_hash_file(h, fd, name, sha256, e);
	if (r < 0)
		return r;
	return json_object_set_new(row, "sha256", json_string(sha256)) < 0 ? err_no_memory(e) : 0;
}

int
tree_hash(const char *dir, json_t *files, struct bar *bar, struct err *e)
{
	struct tree_hashing h = {.bar = bar};
	json_t *row;
	size_t i;
	int r = 0;

	json_array_foreach(files, i, row)
		if (!json_object_get(row, "sha256"))
			h.total += job_whole(row, "size");
	json_array_foreach(files, i, row)
		if (r == 0 && !json_object_get(row, "sha256"))
			r = row_hash(&h, dir, row, e);
	return r;
}
