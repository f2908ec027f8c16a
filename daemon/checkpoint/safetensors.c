/*
 *	0      8                8+N                               end
 *	| N le | {"a": {...}...} | bytes of a | bytes of b | ... |
 *
 * Sorted by offset, every tensor begins where the one before ended, and the last one ends
 * with the file: no byte is in two tensors and none is in no tensor.
 */
#include "safetensors.h"

#include <inttypes.h>
#include <sys/mman.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/str.h"
#include "header.h"
#include "sniff.h"

#define HEADER_LEN_MAX 100000000u

struct st_file {
	char *path;
	struct map map; /* empty when the bytes are the caller's */
	uint64_t len;
	struct st_header header;
};

static int
cmp_key(const void *key, const void *pt)
{
	const struct st_tensor *const *t = pt;

	return strcmp(key, (*t)->name);
}

static uint64_t
le64(const unsigned char *p)
{
	uint64_t v = 0;
	int i;

	for (i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static int
file_parse(struct st_file *f, const unsigned char *bytes, int code, struct err *e)
{
	uint64_t n;
	int r;

	r = sniff_check_binary(bytes, f->len, code, e);
	if (r < 0)
		return r;
	if (f->len < 8)
		return err_set(e, code, "it has %" PRIu64 " bytes, too few for a safetensors file", f->len);
	n = le64(bytes);
	if (n > HEADER_LEN_MAX)
		return err_set(e, code, "its header of %" PRIu64 " bytes is longer than %u", n,
			       HEADER_LEN_MAX);
	if (n > f->len - 8)
		return err_set(e, code, "its header of %" PRIu64 " bytes is longer than the file", n);
	return st_header_parse(bytes + 8, n, bytes + 8 + n, f->len - 8 - n, code, &f->header, e);
}

static void
file_freep(struct st_file **f)
{
	st_free(f);
}

int
st_open_bytes(const void *bytes, uint64_t len, const char *path, int code, struct st_file **ret,
	      struct err *e)
{
	_cleanup_(file_freep) struct st_file *f = calloc(1, sizeof(*f));
	int r;

	if (!f || !(f->path = strdup(path)))
		return err_set(e, E_NO_MEMORY, "memory ran out opening '%s'", path);
	f->len = len;
	r = file_parse(f, bytes, code, e);
	if (r < 0)
		return err_context(e, "'%s'", path);
	*ret = TAKE(f);
	return 0;
}

int
st_open_fd_take(int fd, uint64_t len, const char *path, int code, struct st_file **ret, struct err *e)
{
	struct map map;
	int r;

	r = map_fd_take(fd, len, path, code, &map, e);
	if (r < 0)
		return r;
	r = st_open_bytes(map.data, map.len, path, code, ret, e);
	if (r < 0)
		map_close(&map);
	else
		(*ret)->map = map;
	return r;
}

int
st_open(const char *path, int code, struct st_file **ret, struct err *e)
{
	uint64_t len;
	int fd, r;

	r = fs_open_file(path, code, &fd, &len, e);
	return r < 0 ? r : st_open_fd_take(fd, len, path, code, ret, e);
}

int
st_open_in(struct folder *f, const char *name, int code, struct st_file **ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(folder_path(f), name);
	uint64_t len;
	int fd, r;

	if (!path)
		return err_no_memory(e);
	r = folder_open_file(f, name, code, &fd, &len, e);
	return r < 0 ? r : st_open_fd_take(fd, len, path, code, ret, e);
}

void
st_free(struct st_file **f)
{
	if (!*f)
		return;
	map_close(&(*f)->map);
	st_header_release(&(*f)->header);
	free((*f)->path);
	free(*f);
	*f = NULL;
}

const char *
st_path(const struct st_file *f)
{
	return f->path;
}

int
st_fd(const struct st_file *f)
{
	return map_fd(&f->map);
}

uint64_t
st_len(const struct st_file *f)
{
	return f->len;
}

size_t
st_count(const struct st_file *f)
{
	return f->header.count;
}

const struct st_tensor *
st_get(const struct st_file *f, size_t i)
{
	assert(i < f->header.count);
	return &f->header.tensors[i];
}

const struct st_tensor *
st_find(const struct st_file *f, const char *name)
{
	const struct st_tensor **t =
		bsearch(name, f->header.by_name, f->header.count, sizeof(*f->header.by_name), cmp_key);

	return t ? *t : NULL;
}

void
st_drop(const struct st_file *f, const unsigned char *data, uint64_t len)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = (uintptr_t)data / page * page;

	if (!f->map.data || !len)
		return;
	/* Pages at the edges may be shared with neighbouring tensors: a later access loads them again from
	 * the page cache. */
	(void)madvise((void *)begin, (uintptr_t)data + len - begin, MADV_DONTNEED);
}
