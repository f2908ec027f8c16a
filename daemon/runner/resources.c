#include "resources.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/wait.h>

#include "base/fs.h"

/*
 * Needed to start a worker: three pipes, two temporary ones, a pidfd, and some for the files that it opens.
 */
#define DESCRIPTORS 16

bool
resources_lack(int code)
{
	return code == E_BUSY || code == E_NO_MEMORY || code == E_NO_SPACE;
}

int
resources_check_disk(const char *dir, uint64_t free_min, struct err *e)
{
	uint64_t free_bytes;
	int r = fs_free_bytes(dir, &free_bytes, e);

	if (r == 0 && free_bytes < free_min)
		r = err_set(e, E_NO_SPACE,
			    "the disk of '%s' is full: it has %" PRIu64
			    " MiB free, and the daemon needs %" PRIu64
			    " MiB. Remove artifacts (colconvctl purge) or other files on that disk",
			    dir, free_bytes >> 20, free_min >> 20);
	return r;
}

static int
descriptors_check(struct err *e)
{
	int fd[DESCRIPTORS], n = 0, r = 0;

	while (r == 0 && n < DESCRIPTORS) {
		fd[n] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd[n] < 0)
			r = err_errno(e, E_IO, errno, "cannot open %d more files", DESCRIPTORS);
		else
			n++;
	}
	while (n)
		(void)close(fd[--n]);
	return r;
}

static int
fork_check(struct err *e)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return err_errno(e, errno == EAGAIN ? E_BUSY : E_IO, errno, "cannot start a process");
	(void)waitpid(pid, NULL, 0);
	return 0;
}

int
resources_check(const char *dir, uint64_t free_min, struct err *e)
{
	int r = resources_check_disk(dir, free_min, e);

	if (r == 0)
		r = descriptors_check(e);
	return r < 0 ? r : fork_check(e);
}
