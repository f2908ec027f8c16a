#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/fs.h"
#include "layout.h"

/* The folder that holds the file, below `to`: an artifact has one level of folders at most. */
static int
folder_make(const char *to, const char *name, struct err *e)
{
	const char *slash = strchr(name, '/');
	_cleanup_free_ char *folder = slash ? strndup(name, (size_t)(slash - name)) : NULL;
	_cleanup_free_ char *path = folder ? fs_join(to, folder) : NULL;

	if (!slash)
		return 0;
	return path ? fs_mkdir_p(path, LAYOUT_MODE, e) : err_no_memory(e);
}

static int
file_link(const char *from, const char *to, const char *name, struct err *e)
{
	_cleanup_free_ char *old = fs_join(from, name);
	_cleanup_free_ char *new = fs_join(to, name);
	int r;

	if (!old || !new)
		return err_no_memory(e);
	r = folder_make(to, name, e);
	if (r == 0 && link(old, new) < 0)
		r = err_errno(e, E_IO, errno, "cannot link '%s' to '%s'", new, old);
	return r;
}

int
artifact_share(const char *state_dir, int64_t from, int64_t job, int attempt, struct err *e)
{
	_cleanup_(artifact_list_release) struct artifact_list list = ARTIFACT_LIST_INIT;
	_cleanup_free_ char *old = layout_artifact(state_dir, from);
	_cleanup_free_ char *staging = NULL;
	size_t i;
	int r;

	if (!old)
		return err_no_memory(e);
	if (!fs_exists(old))
		return err_set(e, E_NOT_FOUND, "job %" PRId64 " has no artifact", from);
	r = artifact_stage(state_dir, job, attempt, &staging, e);
	if (r == 0)
		r = layout_list(old, /*shared=*/true, &list, e);
	for (i = 0; r == 0 && i < list.n; i++)
		r = file_link(old, staging, list.files[i].name, e);
	return r;
}
