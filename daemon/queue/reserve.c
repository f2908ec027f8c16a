#include "reserve.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"

static char *
path_of(const char *state_dir)
{
	return fs_join(state_dir, "reserve");
}

void
reserve_keep(const char *state_dir)
{
	_cleanup_free_ char *path = path_of(state_dir);
	_cleanup_close_ int fd = -1;
	uint64_t free_bytes = 0;

	if (!path || fs_exists(path) || fs_free_bytes(state_dir, &free_bytes, NULL) < 0 ||
	    free_bytes < RESERVE_FREE_MIN + RESERVE_BYTES)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd >= 0 && posix_fallocate(fd, 0, (off_t)RESERVE_BYTES) != 0)
		(void)unlink(path); /* the disk has no room after all */
}

bool
reserve_give(const char *state_dir)
{
	_cleanup_free_ char *path = path_of(state_dir);

	return path && unlink(path) == 0;
}
