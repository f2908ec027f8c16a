#include "blob.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/fs.h"
#include "base/str.h"

int
blob_init(struct blob *b, const struct cache *c, const char *etag, uint64_t size, struct err *e)
{
	*b = (struct blob){.etag = etag, .size = size, .fd_lock = -1, .fd = -1};
	b->path = str_printf("%s/blobs/%s", c->repo, etag);
	b->part = str_printf("%s/blobs/%s.incomplete", c->repo, etag);
	b->lock_path = str_printf("%s/%s.lock", c->locks, etag);
	if (b->path && b->part && b->lock_path)
		return 0;
	blob_release(b);
	return err_no_memory(e);
}

static void
file_close(struct blob *b)
{
	int fd = TAKE_FD(b->fd);

	closep(&fd);
	digest_free(&b->digest);
	b->have = 0;
	b->wanted = false;
}

void
blob_release(struct blob *b)
{
	file_close(b);
	closep(&b->fd_lock);
	b->fd_lock = -1;
	free(TAKE(b->path));
	free(TAKE(b->part));
	free(TAKE(b->lock_path));
}

/* 1 when it is ours, 0 when it is another's. Some who use the lock remove its file when they are done. */
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

/* The blob when it is there with the right size, else what there is of it. */
static int
file_open(struct blob *b, struct err *e)
{
	struct stat st;

	b->whole = stat(b->path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == b->size;
	b->fd = b->whole ? open(b->path, O_RDONLY | O_CLOEXEC)
			 : open(b->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (b->fd < 0 || fstat(b->fd, &st) < 0)
		return err_errno(e, E_IO, errno, "cannot open '%s'", b->whole ? b->path : b->part);
	if (!b->whole && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > b->size))
		return blob_restart(b, e);
	return digest_new(b->etag, b->size, &b->digest, e);
}

int
blob_restart(struct blob *b, struct err *e)
{
	digest_free(&b->digest);
	b->have = 0;
	b->wanted = true;
	if (ftruncate(b->fd, 0) < 0 || lseek(b->fd, 0, SEEK_SET) < 0)
		return err_errno(e, E_IO, errno, "cannot empty '%s'", b->part);
	return digest_new(b->etag, b->size, &b->digest, e);
}

int
blob_add(struct blob *b, const void *data, size_t len, struct err *e)
{
	int r = fs_write_all(b->fd, data, len, b->part, e);

	if (r < 0)
		return r;
	digest_add(b->digest, data, len);
	b->have += len;
	return 0;
}

static int
publish(struct blob *b, struct err *e)
{
	if (fsync(b->fd) < 0)
		return err_errno(e, E_IO, errno, "cannot fsync '%s'", b->part);
	return fs_rename(b->part, b->path, e);
}

/* A blob that was damaged after it was published, or that somebody put there who checks sizes only. */
static int
drop(struct blob *b, struct err *e)
{
	file_close(b);
	return unlink(b->path) == 0 ? 0 : err_errno(e, E_IO, errno, "cannot remove '%s'", b->path);
}

/* All bytes are there. */
static int
verify(struct blob *b, enum blob_state *ret, struct err *e)
{
	int r;

	if (digest_matches(b->digest, b->etag)) {
		r = b->whole ? 0 : publish(b, e);
		blob_release(b); /* the lock too */
		*ret = BLOB_DONE;
		return r;
	}
	*ret = b->whole ? BLOB_CHECKED : BLOB_WRONG;
	return b->whole ? drop(b, e) : blob_restart(b, e);
}

/* The next block of what is there. */
static int
check(struct blob *b, enum blob_state *ret, struct err *e)
{
	ssize_t n = digest_read(b->digest, b->fd, b->whole ? b->path : b->part, e);

	if (n < 0)
		return (int)n;
	*ret = BLOB_CHECKED;
	if (n == 0 && b->whole) /* somebody cut it meanwhile */
		return drop(b, e);
	b->have += (uint64_t)n;
	b->wanted = n == 0;
	return 0;
}

int
blob_step(struct blob *b, enum blob_state *ret, struct err *e)
{
	int r;

	*ret = BLOB_LOCKED;
	r = b->fd_lock < 0 ? lock_take(b, e) : 1;
	if (r <= 0)
		return r;
	r = b->fd < 0 ? file_open(b, e) : 0;
	if (r < 0)
		return r;
	if (b->have == b->size)
		return verify(b, ret, e);
	if (!b->wanted)
		return check(b, ret, e);
	*ret = BLOB_WANTED;
	return 0;
}

uint64_t
blob_seen(const struct blob *b)
{
	struct stat st;

	if (b->fd_lock >= 0 || (stat(b->path, &st) < 0 && stat(b->part, &st) < 0))
		return b->have;
	return MIN((uint64_t)st.st_size, b->size);
}
