#include "base/fs.h"
#include "layout.h"

int
artifact_init(const char *state_dir, struct err *e)
{
	static const char *const names[] = {"staging", "artifacts", "failed", "lost", "trash"};
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_LEN(names); i++) {
		_cleanup_free_ char *path = fs_join(state_dir, names[i]);

		r = path ? fs_mkdir_p(path, LAYOUT_MODE, e) : err_no_memory(e);
	}
	return r;
}

int
artifact_stage(const char *state_dir, int64_t job, int attempt, char **ret, struct err *e)
{
	_cleanup_free_ char *path = layout_staging(state_dir, job, attempt);
	int r;

	if (!path)
		return err_no_memory(e);
	r = fs_remove(path, e);
	if (r == 0)
		r = fs_mkdir(path, LAYOUT_MODE, e);
	if (r == 0)
		*ret = TAKE(path);
	return r;
}

int
artifact_discard(const char *state_dir, int64_t job, int attempt, struct err *e)
{
	_cleanup_free_ char *path = layout_staging(state_dir, job, attempt);

	return path ? layout_trash(state_dir, path, e) : err_no_memory(e);
}

int
artifact_keep_report(const char *state_dir, int64_t job, int attempt, struct err *e)
{
	_cleanup_free_ char *staging = layout_staging(state_dir, job, attempt);
	_cleanup_free_ char *kept = layout_report(state_dir, job);
	_cleanup_free_ char *from = staging ? fs_join(staging, LAYOUT_REPORT) : NULL;
	_cleanup_free_ char *to = kept ? fs_join(kept, LAYOUT_REPORT) : NULL;
	int r;

	if (!from || !to)
		return err_no_memory(e);
	if (!fs_exists(from))
		return err_set(e, E_NOT_FOUND, "there is no file '%s'", from);
	r = fs_mkdir(kept, LAYOUT_MODE, e);
	return r < 0 ? r : fs_rename(from, to, e);
}

static int
file_open(const char *dir, const char *name, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	struct stat st;
	int r;

	if (!dir)
		return err_no_memory(e);
	r = layout_open(dir, name, ret_fd, &st, e);
	if (r == 0)
		*ret_size = (uint64_t)st.st_size;
	return r;
}

int
artifact_open_file(const char *state_dir, int64_t job, const char *name, int *ret_fd, uint64_t *ret_size,
		   struct err *e)
{
	_cleanup_free_ char *dir = layout_artifact(state_dir, job);

	return file_open(dir, name, ret_fd, ret_size, e);
}

int
artifact_open_report(const char *state_dir, int64_t job, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	_cleanup_free_ char *kept = layout_report(state_dir, job);
	struct err why = ERR_INIT;
	int r;

	r = artifact_open_file(state_dir, job, LAYOUT_REPORT, ret_fd, ret_size, &why);
	if (r == E_NOT_FOUND)
		return file_open(kept, LAYOUT_REPORT, ret_fd, ret_size, e);
	return r < 0 ? err_set(e, r, "%s", why.msg) : 0;
}
