#include "layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"

char *
layout_staging(const char *state_dir, int64_t job, int attempt)
{
	return str_printf("%s/staging/%" PRId64 ".%d", state_dir, job, attempt);
}

char *
layout_artifact(const char *state_dir, int64_t job)
{
	return str_printf("%s/artifacts/%" PRId64, state_dir, job);
}

char *
layout_report(const char *state_dir, int64_t job)
{
	return str_printf("%s/failed/%" PRId64, state_dir, job);
}

static void
closedirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

int
layout_each(const char *dir, layout_fn fn, void *arg, struct err *e)
{
	_cleanup_(closedirp) DIR *d = opendir(dir);
	struct dirent *ent;
	int r = 0;

	if (!d)
		return err_errno(e, E_IO, errno, "cannot open the folder '%s'", dir);
	while (r == 0 && (ent = readdir(d)))
		if (fs_name_ok(ent->d_name)) /* not "." and ".." */
			r = fn(dir, ent->d_name, arg, e);
	return r;
}

/*
 * Opens `path` below the open folder `at`; -1 with errno on failure. Each component is opened on its own
 * with O_NOFOLLOW, because a single open() would follow links in all components but the last.
 */
static int
open_below(int at, const char *path)
{
	_cleanup_free_ char *folder = NULL;
	const char *slash = strchr(path, '/');
	_cleanup_close_ int below = -1;

	/* O_NONBLOCK: opening a FIFO must not block before we see its type. */
	if (!slash)
		return openat(at, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	folder = strndup(path, (size_t)(slash - path));
	if (!folder)
		return -1;
	below = openat(at, folder, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY);
	return below < 0 ? -1 : open_below(below, slash + 1);
}

int
layout_open(const char *dir, const char *name, int *ret_fd, struct stat *ret_st, struct err *e)
{
	_cleanup_close_ int at = -1, fd = -1;

	if (!fs_path_ok(name))
		return err_set(e, E_NOT_FOUND, "there is no file '%s'", name);
	at = open(dir, O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW);
	fd = at < 0 ? -1 : open_below(at, name);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO))
		return err_set(e, E_NOT_FOUND, "there is no file '%s'", name);
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return err_errno(e, E_IO, errno, "cannot open '%s/%s'", dir, name);
	if (!S_ISREG(ret_st->st_mode))
		return err_set(e, E_NOT_FOUND, "there is no file '%s'", name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
