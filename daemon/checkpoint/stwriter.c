#include "stwriter.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"

#define BLOCK_LEN (1u << 20) /* small pieces are gathered into writes of up to this size */

struct stw {
	char *path;
	char *tmp;
	int fd;
	json_t *header;
	uint64_t declared; /* bytes of all tensors */
	uint64_t given;
	unsigned char *block; /* accepted, but not yet written */
	size_t block_len;
};

static void
stw_freep(struct stw **w)
{
	stw_free(w);
}

int
stw_new(const char *path, struct stw **ret, struct err *e)
{
	_cleanup_(stw_freep) struct stw *w = calloc(1, sizeof(*w));

	if (!w)
		return err_no_memory(e);
	w->fd = -1;
	w->path = strdup(path);
	w->header = json_object();
	w->block = malloc(BLOCK_LEN);
	if (!w->path || !w->header || !w->block)
		return err_no_memory(e);
	*ret = TAKE(w);
	return 0;
}

void
stw_free(struct stw **w)
{
	if (!*w)
		return;
	if ((*w)->fd >= 0) {
		(void)close((*w)->fd);
		(void)unlink((*w)->tmp);
	}
	json_decref((*w)->header);
	free((*w)->block);
	free((*w)->path);
	free((*w)->tmp);
	free(*w);
	*w = NULL;
}

int
stw_add(struct stw *w, const char *name, enum elem dtype, int rank, const int64_t *shape, struct err *e)
{
	uint64_t begin = w->declared, len = elem_size(dtype);
	json_t *dims = json_array();
	int i;

	assert(w->fd < 0 && rank <= TENSOR_RANK_MAX && !json_object_get(w->header, name));
	for (i = 0; i < rank; i++) {
		assert(shape[i] >= 0);
		(void)json_array_append_new(dims, json_integer(shape[i]));
		if (__builtin_mul_overflow(len, (uint64_t)shape[i], &len))
			len = UINT64_MAX;
	}
	if (__builtin_add_overflow(w->declared, len, &w->declared) || w->declared > INT64_MAX) {
		json_decref(dims);
		return err_set(e, E_TOO_LARGE, "'%s' would be too large with tensor '%s'", w->path, name);
	}
	if (json_object_set_new(w->header, name,
				json_pack("{s:s, s:o, s:[I,I]}", "dtype", elem_name(dtype), "shape", dims,
					  "data_offsets", (json_int_t)begin, (json_int_t)w->declared)) < 0)
		return err_set(e, E_NO_MEMORY, "memory ran out or tensor '%s' is not UTF-8", name);
	return 0;
}

int
stw_meta(struct stw *w, const char *key, const char *value, struct err *e)
{
	json_t *meta = json_object_get(w->header, "__metadata__");

	assert(w->fd < 0);
	if (!meta) {
		meta = json_object();
		if (json_object_set_new(w->header, "__metadata__", meta) < 0)
			return err_no_memory(e);
	}
	if (json_object_set_new(meta, key, json_string(value)) < 0)
		return err_set(e, E_NO_MEMORY, "memory ran out or '%s' is not UTF-8", value);
	return 0;
}

static int
block_flush(struct stw *w, struct err *e)
{
	size_t len = w->block_len;

	w->block_len = 0;
	return fs_write_all(w->fd, w->block, len, w->tmp, e);
}

static int
block_add(struct stw *w, const void *data, size_t len, struct err *e)
{
	int r;

	if (len > BLOCK_LEN - w->block_len) {
		r = block_flush(w, e);
		if (r < 0)
			return r;
	}
	if (len > BLOCK_LEN)
		return fs_write_all(w->fd, data, len, w->tmp, e);
	memcpy(w->block + w->block_len, data, len);
	w->block_len += len;
	return 0;
}

int
stw_begin(struct stw *w, struct err *e)
{
	static const char spaces[] = "        ";
	_cleanup_free_ char *text = json_text(w->header, JSON_COMPACT);
	unsigned char le[8];
	size_t len, padded;
	int i, r;

	w->tmp = str_printf("%s.tmp%ld", w->path, (long)getpid());
	if (!text || !w->tmp)
		return err_no_memory(e);
	w->fd = open(w->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (w->fd < 0)
		return err_errno(e, E_IO, errno, "cannot create '%s'", w->tmp);
	len = strlen(text);
	padded = ALIGN_UP(len, 8);
	for (i = 0; i < 8; i++)
		le[i] = (unsigned char)((uint64_t)padded >> 8 * i);
	if ((r = block_add(w, le, sizeof(le), e)) < 0 || (r = block_add(w, text, len, e)) < 0)
		return r;
	return block_add(w, spaces, padded - len, e);
}

int
stw_data(struct stw *w, const void *data, size_t len, struct err *e)
{
	assert(w->fd >= 0 && len <= w->declared - w->given);
	w->given += len;
	return block_add(w, data, len, e);
}

int
stw_finish(struct stw *w, struct err *e)
{
	int r;

	assert(w->fd >= 0 && w->given == w->declared);
	r = block_flush(w, e);
	if (r < 0)
		return r;
	if (fsync(w->fd) < 0)
		return err_errno(e, E_IO, errno, "cannot fsync '%s'", w->tmp);
	r = fs_rename(w->tmp, w->path, e);
	if (r < 0)
		return r;
	(void)close(TAKE_FD(w->fd));
	return 0;
}
