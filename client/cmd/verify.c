#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "base/loop.h"
#include "base/str.h"
#include "client/show/job.h"

#define BLOCK_LEN (1u << 20)

int
problem_add(json_t *problems, const struct err *what, struct err *e)
{
	return json_array_append_new(problems, json_string(what->msg)) < 0 ? err_no_memory(e) : 0;
}

/*
 * Checks that a file below `dir` is regular, not a link, and has no second hard link: ONNX Runtime refuses
 * others.
 */
static int
file_open(const char *dir, const char *name, int *ret_fd, uint64_t *ret_size, struct err *e)
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

/* ---- the manifest ---- */

struct hashing {
	struct bar *bar;      /* NULL: sizes alone are compared */
	uint64_t done, total; /* bytes of all files */
	char *block;
};

static int
file_hash(struct hashing *h, int fd, const char *name, char ret[SHA256_HEX_LEN + 1], struct err *e)
{
	_cleanup_(sha256_free) struct sha256 *s = NULL;
	ssize_t n;
	int r;

	r = sha256_new(&s, e);
	if (r < 0)
		return r;
	while ((n = read(fd, h->block, BLOCK_LEN)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, E_MISMATCH, errno, "cannot read '%s'", name);
		sha256_add(s, h->block, (size_t)n);
		h->done += (uint64_t)n;
		bar_progress(h->bar, h->done, h->total, "bytes", name, loop_now_ms());
	}
	sha256_finish(s, ret);
	return 0;
}

static int
file_check(struct hashing *h, const char *dir, const json_t *listed, struct err *e)
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
	r = file_open(dir, name, &fd, &have, e);
	if (r < 0)
		return r;
	if (have != size)
		return err_set(e, E_MISMATCH,
			       "'%s' has %" PRIu64 " bytes, not the %" PRIu64 " that manifest.json lists",
			       name, have, size);
	if (!h->bar)
		return 0;
	r = file_hash(h, fd, name, sha256, e);
	if (r == 0 && !str_eq(sha256, job_str(listed, "sha256")))
		r = err_set(e, E_MISMATCH,
			    "'%s' has changed: its sha256 is not the one that manifest.json lists", name);
	return r;
}

int
verify_manifest(const char *dir, const json_t *manifest, struct bar *bar, json_t *problems, struct err *e)
{
	_cleanup_free_ char *block = malloc(BLOCK_LEN);
	struct hashing h = {.bar = bar, .block = block};
	const json_t *files;
	struct err what;
	json_t *listed;
	size_t i;
	int r;

	if (!block)
		return err_no_memory(e);
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
	r = file_open(dir, name, &fd, &size, e);
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
