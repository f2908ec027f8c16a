#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/fs.h"
#include "base/str.h"

/*
 * How long a fork of a killed holder may keep the lock: until it is killed too, or until its exec closes
 * the descriptor.
 */
#define LEFT_MS 1000
#define TRY_MS 5

/*
 * The file is one record of a fixed length: the pid of the process that holds the folder, or CLEAN after a
 * clean stop.
 */
#define RECORD_LEN 32
#define CLEAN "-"

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

/* Reads the record without its padding. */
static void
record_read(int fd, char ret[RECORD_LEN + 1])
{
	ssize_t n = pread(fd, ret, RECORD_LEN, 0);

	ret[MAX(n, 0)] = '\0';
	ret[strcspn(ret, " \n")] = '\0';
}

/*
 * Overwrites the old record in place, so that it works on a full disk. The record only informs: when the
 * write fails, the next start merely skips the check of the database after a crash.
 */
static void
record_write(int fd, const char *who)
{
	char record[RECORD_LEN + 1];

	(void)snprintf(record, sizeof(record), "%-*s\n", RECORD_LEN - 1, who);
	if (pwrite(fd, record, RECORD_LEN, 0) == RECORD_LEN)
		(void)fsync(fd);
}

int
lock_take(const char *state_dir, int *ret_fd, bool *ret_unclean, struct err *e)
{
	_cleanup_free_ char *path = fs_join(state_dir, "lock");
	_cleanup_close_ int fd = -1;
	char holder[RECORD_LEN + 1], self[RECORD_LEN];

	if (!path)
		return err_no_memory(e);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot open '%s'", path);
	if (lock_wait(fd) < 0) {
		if (errno != EWOULDBLOCK)
			return err_errno(e, E_IO, errno, "cannot lock '%s'", path);
		record_read(fd, holder);
		return err_set(e, E_BUSY, "the state folder '%s' is in use by process %s", state_dir, holder);
	}
	record_read(fd, holder);
	(void)snprintf(self, sizeof(self), "%ld", (long)getpid());
	record_write(fd, self);
	*ret_unclean = *holder && !str_eq(holder, CLEAN);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void
lock_mark_clean(int fd)
{
	record_write(fd, CLEAN);
}
