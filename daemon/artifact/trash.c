#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "base/fs.h"
#include "base/str.h"
#include "layout.h"

/* Removed from one file in one step: a few milliseconds on an idle disk. */
#define STEP_BYTES (INT64_C(16) << 20)

int
layout_trash(const char *state_dir, const char *path, struct err *e)
{
	unsigned n = 0;

	for (;;) {
		_cleanup_free_ char *to = str_printf("%s/trash/%s.%u", state_dir, fs_basename(path), ++n);

		if (!to)
			return err_no_memory(e);
		if (fs_exists(to))
			continue;
		if (rename(path, to) < 0 && errno != ENOENT)
			return err_errno(e, E_IO, errno, "cannot rename '%s' to '%s'", path, to);
		return 0;
	}
}

/* A missing report is fine: a job without parity has none. */
static int
report_keep(const char *state_dir, int64_t job, const char *artifact, struct err *e)
{
	_cleanup_free_ char *dir = layout_report(state_dir, job);
	_cleanup_free_ char *from = fs_join(artifact, LAYOUT_REPORT);
	_cleanup_free_ char *to = dir ? fs_join(dir, LAYOUT_REPORT) : NULL;
	int r;

	if (!from || !to)
		return err_no_memory(e);
	if (!fs_exists(from))
		return 0;
	r = fs_mkdir(dir, LAYOUT_MODE, e);
	if (r == 0 && rename(from, to) < 0)
		r = err_errno(e, E_IO, errno, "cannot rename '%s' to '%s'", from, to);
	return r;
}

int
artifact_trash(const char *state_dir, int64_t job, struct err *e)
{
	_cleanup_free_ char *path = layout_artifact(state_dir, job);
	int r;

	if (!path)
		return err_no_memory(e);
	r = report_keep(state_dir, job, path, e);
	return r < 0 ? r : layout_trash(state_dir, path, e);
}

int
artifact_sync(const char *state_dir, struct err *e)
{
	_cleanup_free_ char *dir = fs_join(state_dir, "artifacts");

	return dir ? fs_sync_dir(dir, e) : err_no_memory(e);
}

int
artifact_remove_report(const char *state_dir, int64_t job, struct err *e)
{
	_cleanup_free_ char *dir = layout_report(state_dir, job);

	return dir ? fs_remove(dir, e) : err_no_memory(e);
}

/*
 * Whether another process has the file open, such as a download that began before the artifact was removed:
 * then the kernel refuses a lease for writing. The lease is released at once. If someone opens the file
 * meanwhile, the kernel sends us a signal, so choose one that is ignored.
 */
static bool
being_read(int fd)
{
	bool r;

	(void)fcntl(fd, F_SETSIG, SIGURG);
	r = fcntl(fd, F_SETLEASE, F_WRLCK) < 0 && errno == EAGAIN;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return r;
}

/* Returns 1 when a part or all of the file was removed; 0: it stays until its readers have finished. */
static int
file_step(const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	/* Do not truncate a file with another link (a copy made with `cp -l`): its bytes are still in use. */
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1) {
		if (being_read(fd))
			return 0;
		if (st.st_size > STEP_BYTES) {
			if (ftruncate(fd, st.st_size - STEP_BYTES) < 0)
				return err_errno(e, E_IO, errno, "cannot cut '%s'", path);
			return 1;
		}
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(e, E_IO, errno, "cannot remove '%s'", path);
	return 1;
}

/* Returns 0 so that layout_each() continues with the next entry. */
static int
entry_step(const char *dir, const char *name, void *arg, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, name);
	struct stat st;
	int r;

	if (!path)
		return err_no_memory(e);
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return file_step(path, e);
	r = layout_each(path, entry_step, arg, e);
	if (r != 0)
		return r;
	if (rmdir(path) == 0)
		return 1;
	return errno == ENOTEMPTY ? 0 : err_errno(e, E_IO, errno, "cannot remove the folder '%s'", path);
}

int
artifact_trash_step(const char *state_dir, struct err *e)
{
	_cleanup_free_ char *dir = fs_join(state_dir, "trash");

	return dir ? layout_each(dir, entry_step, /*arg=*/NULL, e) : err_no_memory(e);
}
