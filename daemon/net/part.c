#include "part.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"

int
part_init(struct part *p, char *path, char *part, const char *hash, uint64_t size, struct err *e)
{
	*p = (struct part){.hash = hash, .size = size, .path = path, .part = part, .fd = -1};
	return path && part ? 0 : err_no_memory(e);
}

static void
file_close(struct part *p)
{
	closep(&p->fd);
	p->fd = -1;
	digest_free(&p->digest);
	p->have = 0;
	p->wanted = false;
}

void
part_release(struct part *p)
{
	if (p->fd >= 0 && !p->whole && p->have == 0 && p->wanted)
		(void)unlink(p->part);
	file_close(p);
	free(TAKE(p->path));
	free(TAKE(p->part));
}

/* Opens the finished file when it exists with the right size, otherwise its partial file. */
static int
file_open(struct part *p, struct err *e)
{
	struct stat st;

	p->whole = !p->stale && stat(p->path, &st) == 0 && S_ISREG(st.st_mode) &&
		   (uint64_t)st.st_size == p->size;
	p->fd = p->whole ? open(p->path, O_RDONLY | O_CLOEXEC)
			 : open(p->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (p->fd < 0 || fstat(p->fd, &st) < 0)
		return err_errno(e, E_IO, errno, "cannot open '%s'", p->whole ? p->path : p->part);
	if (!p->whole && !S_ISREG(st.st_mode))
		return err_set(e, E_IO, "'%s' is not a regular file", p->part);
	if (!p->whole && (uint64_t)st.st_size > p->size)
		return part_restart(p, e);
	return digest_new(p->hash, p->size, &p->digest, e);
}

int
part_restart(struct part *p, struct err *e)
{
	digest_free(&p->digest);
	p->have = 0;
	p->wanted = true;
	if (ftruncate(p->fd, 0) < 0 || lseek(p->fd, 0, SEEK_SET) < 0)
		return err_errno(e, E_IO, errno, "cannot empty '%s'", p->part);
	return digest_new(p->hash, p->size, &p->digest, e);
}

int
part_add(struct part *p, const void *data, size_t len, struct err *e)
{
	int r = fs_write_all(p->fd, data, len, p->part, e);

	if (r < 0)
		return r;
	digest_add(p->digest, data, len);
	p->have += len;
	return 0;
}

static int
publish(struct part *p, struct err *e)
{
	if (fsync(p->fd) < 0)
		return err_errno(e, E_IO, errno, "cannot fsync '%s'", p->part);
	return fs_rename(p->part, p->path, e);
}

/*
 * The finished file has a wrong hash: it was damaged later, or another program stored it after a check of its
 * size only.
 */
static void
stale_set(struct part *p)
{
	p->stale = true;
	file_close(p);
}

/* Checks the hash once all bytes are there. */
static int
verify(struct part *p, enum part_state *ret, struct err *e)
{
	int r = 0;

	if (digest_matches(p->digest, p->hash)) {
		if (!p->whole)
			r = publish(p, e);
		closep(&p->fd);
		p->fd = -1;
		*ret = PART_DONE;
		return r;
	}
	if (!p->whole) {
		*ret = PART_WRONG;
		return part_restart(p, e);
	}
	stale_set(p);
	*ret = PART_CHECKED;
	return 0;
}

/* Hashes the next block of the bytes that are there. */
static int
check(struct part *p, enum part_state *ret, struct err *e)
{
	ssize_t n = digest_read(p->digest, p->fd, p->whole ? p->path : p->part, e);

	if (n < 0)
		return (int)n;
	*ret = PART_CHECKED;
	if (n == 0 && p->whole) { /* another process cut the file in the meantime */
		stale_set(p);
		return 0;
	}
	p->have += (uint64_t)n;
	p->wanted = n == 0;
	if (p->have > p->size) /* another process appended to it */
		return p->whole ? (stale_set(p), 0) : part_restart(p, e);
	return 0;
}

int
part_step(struct part *p, enum part_state *ret, struct err *e)
{
	int r = p->fd < 0 ? file_open(p, e) : 0;

	if (r < 0)
		return r;
	if (p->have == p->size)
		return verify(p, ret, e);
	if (!p->wanted)
		return check(p, ret, e);
	*ret = PART_WANTED;
	return 0;
}
