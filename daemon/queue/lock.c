#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/fs.h"

/*
 * How long a holder's fork may have the lock after the holder was killed: until it is killed too,
 * or its exec closes the descriptor.
 */
#define LEFT_MS 1000
#define TRY_MS 5

static int
lock_wait(int fd)
{
	int ms;

	for (ms = 0; ms < LEFT_MS; ms += TRY_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -1;
		(void)usleep(TRY_MS * 1000);
	}
	errno = EWOULDBLOCK;
	return -1;
}

/* The text of the lock file, without the newline. */
static void
holder_read(int fd, char *buf, size_t len)
{
	ssize_t n = pread(fd, buf, len - 1, 0);

	buf[MAX(n, 0)] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

int
lock_take(const char *state_dir, int *ret_fd, bool *ret_unclean, struct err *e)
{
	_cleanup_free_ char *path = fs_join(state_dir, "lock");
	_cleanup_close_ int fd = -1;
	char holder[32], self[32];
	int n, r;

	if (!path)
		return err_no_memory(e);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot open '%s'", path);
	if (lock_wait(fd) < 0) {
		if (errno != EWOULDBLOCK)
			return err_errno(e, E_IO, errno, "cannot lock '%s'", path);
		holder_read(fd, holder, sizeof(holder));
		return err_set(e, E_BUSY, "the state folder '%s' is in use by process %s", state_dir, holder);
	}
	holder_read(fd, holder, sizeof(holder));
	n = snprintf(self, sizeof(self), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0)
		return err_errno(e, E_IO, errno, "cannot write '%s'", path);
	r = fs_write_all(fd, self, (size_t)n, path, e);
	if (r < 0)
		return r;
	if (fsync(fd) < 0)
		return err_errno(e, E_IO, errno, "cannot fsync '%s'", path);
	*ret_unclean = holder[0] != '\0';
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void
lock_mark_clean(int fd)
{
	(void)!ftruncate(fd, 0); /* if not, the next start looks at the database closely */
}
