#include "blob.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>

#include "base/fs.h"
#include "base/loop.h"
#include "base/str.h"

int
blob_init(struct blob *b, const struct cache *c, const char *etag, uint64_t size, int64_t lock_wait_ms,
	  struct err *e)
{
	int r;

	*b = (struct blob){.fd_lock = -1, .lock_wait_ms = lock_wait_ms};
	r = part_init(&b->part, str_printf("%s/blobs/%s", c->repo, etag),
		      str_printf("%s/blobs/%s.incomplete", c->repo, etag), etag, size, e);
	b->lock_path = str_printf("%s/%s.lock", c->locks, etag);
	if (r == 0 && !b->lock_path)
		r = err_no_memory(e);
	if (r < 0)
		blob_release(b);
	return r;
}

static void
unlock(struct blob *b)
{
	closep(&b->fd_lock);
	b->fd_lock = -1;
}

void
blob_release(struct blob *b)
{
	part_release(&b->part);
	unlock(b);
	free(TAKE(b->lock_path));
}

/*
 * Tries to take the lock: 1 when it is ours, 0 when another process holds it. Some clients remove the file
 * when they release the lock, so the file is looked at again after locking.
 */
static int
lock_take(struct blob *b, struct err *e)
{
	_cleanup_close_ int fd = open(b->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0664);
	struct stat ours, there;

	if (fd < 0 || fstat(fd, &ours) < 0)
		return err_errno(e, E_IO, errno, "cannot open the lock '%s'", b->lock_path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK || errno == EINTR
			       ? 0
			       : err_errno(e, E_IO, errno, "cannot lock '%s'", b->lock_path);
	if (stat(b->lock_path, &there) < 0 || there.st_ino != ours.st_ino || there.st_dev != ours.st_dev)
		return 0;
	b->fd_lock = TAKE_FD(fd);
	return 1;
}

/* Waits for the process that holds the lock, for as long as its file grows. */
static int
wait_check(struct blob *b, struct err *e)
{
	const int64_t now = loop_now_ms();
	const uint64_t seen = blob_seen(b);

	if (!b->waits_ms || seen != b->seen) {
		b->waits_ms = now;
		b->seen = seen;
	}
	if (now - b->waits_ms < b->lock_wait_ms)
		return 0;
	return err_set(e, E_HUB_UNREACHABLE,
		       "another process holds the lock '%s' and fetched nothing for %" PRId64
		       " s; end it ('fuser %s' names it), or raise COLCONV_HUB_LOCK_TIMEOUT",
		       b->lock_path, b->lock_wait_ms / 1000, b->lock_path);
}

int
blob_step(struct blob *b, enum part_state *ret, struct err *e)
{
	int r = b->fd_lock < 0 ? lock_take(b, e) : 1;

	*ret = PART_LOCKED;
	if (r < 0)
		return r;
	if (r == 0)
		return wait_check(b, e);
	b->waits_ms = 0;
	r = part_step(&b->part, ret, e);
	if (r == 0 && *ret == PART_DONE)
		unlock(b);
	return r;
}

uint64_t
blob_seen(const struct blob *b)
{
	struct stat st;

	if (b->fd_lock >= 0 || (stat(b->part.path, &st) < 0 && stat(b->part.part, &st) < 0))
		return b->part.have;
	return MIN((uint64_t)st.st_size, b->part.size);
}
