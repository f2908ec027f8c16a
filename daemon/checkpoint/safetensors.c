/*
 * Reading a safetensors file.
 *
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
#include "base/json.h"
#include "base/str.h"
#include "names.h"

#define HEADER_LEN_MAX 100000000u

struct st_file {
	char *path;
	struct fs_map map; /* empty when the bytes are the caller's */
	uint64_t len;
	struct st_tensor *tensors; /* in order of the data */
	const struct st_tensor **by_name;
	size_t count;
	char *names; /* all names, each with its NUL */
};

static const struct {
	const char *name;
	size_t size;
	bool is_weight;
} dtypes[] = {
#define ST_DTYPE(sym, size, is_weight) {#sym, size, is_weight},
#include "dtypes.def"
#undef ST_DTYPE
};

const char *
st_dtype_name(enum st_dtype d)
{
	return dtypes[d].name;
}

size_t
st_dtype_size(enum st_dtype d)
{
	return dtypes[d].size;
}

bool
st_dtype_is_weight(enum st_dtype d)
{
	return dtypes[d].is_weight;
}

static bool
dtype_from_str(const char *name, enum st_dtype *ret)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(dtypes); i++) {
		if (str_eq(dtypes[i].name, name)) {
			*ret = (enum st_dtype)i;
			return true;
		}
	}
	return false;
}

static int
shape_parse(const json_t *shape, struct st_tensor *t, int code, struct err *e)
{
	const json_t *v;
	size_t i;

	if (json_array_size(shape) > TENSOR_RANK_MAX)
		return err_set(e, code, "it has %zu dimensions, more than %d", json_array_size(shape),
			       TENSOR_RANK_MAX);
	t->rank = (int)json_array_size(shape);
	t->count = 1;
	json_array_foreach(shape, i, v) {
		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return err_set(e, code, "shape must hold whole numbers from 0");
		t->shape[i] = json_integer_value(v);
		if (__builtin_mul_overflow(t->count, t->shape[i], &t->count))
			return err_set(e, code, "its shape has too many elements");
	}
	return 0;
}

/* `data` is where offset 0 lies; the end is checked when all tensors are known. */
static int
tensor_parse(const json_t *info, const unsigned char *data, uint64_t data_len, struct st_tensor *t, int code,
	     struct err *e)
{
	const json_t *shape, *offsets, *begin, *end;
	const char *dtype;
	uint64_t len;
	int r;

	if (!json_is_object(info))
		return err_set(e, code, "its entry must be an object");
	if ((r = json_get_str(info, "", "dtype", JSON_REQUIRED, code, &dtype, e)) < 0 ||
	    (r = json_get_array(info, "", "shape", JSON_REQUIRED, code, &shape, e)) < 0 ||
	    (r = json_get_array(info, "", "data_offsets", JSON_REQUIRED, code, &offsets, e)) < 0)
		return r;
	if (!dtype_from_str(dtype, &t->dtype))
		return err_set(e, code, "dtype '%s' is not known", dtype);
	r = shape_parse(shape, t, code, e);
	if (r < 0)
		return r;

	begin = json_array_get(offsets, 0);
	end = json_array_get(offsets, 1);
	if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
	    json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
		return err_set(e, code, "data_offsets must be two whole numbers, begin and end");
	if ((uint64_t)json_integer_value(end) > data_len)
		return err_set(e, code,
			       "its bytes end at %" JSON_INTEGER_FORMAT ", but the file holds only %" PRIu64,
			       json_integer_value(end), data_len);
	t->data = data + json_integer_value(begin);
	t->len = (uint64_t)(json_integer_value(end) - json_integer_value(begin));
	if (__builtin_mul_overflow((uint64_t)t->count, dtypes[t->dtype].size, &len) || len != t->len)
		return err_set(e, code, "it has %" PRIu64 " bytes, but %" PRId64 " elements of %s", t->len,
			       t->count, dtype);
	return 0;
}

static int
metadata_check(const json_t *meta, int code, struct err *e)
{
	const char *key;
	const json_t *v;

	if (json_is_null(meta))
		return 0;
	if (!json_is_object(meta))
		return err_set(e, code, "__metadata__ must be an object");
	json_object_foreach((json_t *)(uintptr_t)meta, key, v)
		if (!json_is_string(v))
			return err_set(e, code, "__metadata__.%s must be a string", key);
	return 0;
}

static int
cmp_offset(const void *pa, const void *pb)
{
	const struct st_tensor *a = pa, *b = pb;

	if (a->data != b->data)
		return a->data < b->data ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int
cmp_name(const void *pa, const void *pb)
{
	const struct st_tensor *const *a = pa, *const *b = pb;

	return strcmp((*a)->name, (*b)->name);
}

static int
cmp_key(const void *key, const void *pt)
{
	const struct st_tensor *const *t = pt;

	return strcmp(key, (*t)->name);
}

/* Sorts by offset and holds every tensor against the one before. */
static int
tensors_order(struct st_file *f, const unsigned char *data, uint64_t data_len, int code, struct err *e)
{
	const unsigned char *at = data;
	size_t i;

	qsort(f->tensors, f->count, sizeof(*f->tensors), cmp_offset);
	for (i = 0; i < f->count; i++) {
		struct st_tensor *t = &f->tensors[i];

		if (t->data != at)
			return err_set(e, code,
				       "tensor '%s' begins at byte %td, but the one before it ends at %td",
				       t->name, t->data - data, at - data);
		at += t->len;
		if (!t->len)
			t->data = NULL;
		f->by_name[i] = t;
	}
	if (at != data + data_len)
		return err_set(e, code, "%td bytes after the last tensor belong to none",
			       data + data_len - at);
	qsort(f->by_name, f->count, sizeof(*f->by_name), cmp_name);
	return 0;
}

static int
tensors_alloc(struct st_file *f, json_t *header, int code, struct err *e)
{
	size_t names_len = 0;
	const char *key;
	json_t *v;

	json_object_foreach(header, key, v) {
		if (strlen(key) >= NAME_LEN_MAX)
			return err_set(e, code, "a tensor's name has %zu bytes, more than %d", strlen(key),
				       NAME_LEN_MAX - 1);
		names_len += strlen(key) + 1;
	}
	/* One more than needed: an empty file is legal, and calloc(0) may give NULL. */
	f->names = malloc(names_len + 1);
	f->tensors = calloc(json_object_size(header) + 1, sizeof(*f->tensors));
	f->by_name = calloc(json_object_size(header) + 1, sizeof(*f->by_name));
	if (!f->names || !f->tensors || !f->by_name)
		return err_no_memory(e);
	return 0;
}

static int
header_take(struct st_file *f, json_t *header, const unsigned char *data, uint64_t data_len, int code,
	    struct err *e)
{
	const char *key;
	char *name;
	json_t *v;
	int r;

	if (!json_is_object(header))
		return err_set(e, code, "its header must be a JSON object");
	r = tensors_alloc(f, header, code, e);
	if (r < 0)
		return r;
	name = f->names;
	json_object_foreach(header, key, v) {
		struct st_tensor *t = &f->tensors[f->count];

		if (str_eq(key, "__metadata__")) {
			r = metadata_check(v, code, e);
			if (r < 0)
				return r;
			continue;
		}
		r = tensor_parse(v, data, data_len, t, code, e);
		if (r < 0)
			return err_context(e, "tensor '%s'", key);
		t->name = memcpy(name, key, strlen(key) + 1);
		name += strlen(key) + 1;
		f->count++;
	}
	return tensors_order(f, data, data_len, code, e);
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
	json_auto_t *header = NULL;
	uint64_t n;
	int r;

	if (f->len < 8)
		return err_set(e, code, "it has %" PRIu64 " bytes, too few for a safetensors file", f->len);
	n = le64(bytes);
	if (n > HEADER_LEN_MAX)
		return err_set(e, code, "its header of %" PRIu64 " bytes is longer than %u", n,
			       HEADER_LEN_MAX);
	if (n > f->len - 8)
		return err_set(e, code, "its header of %" PRIu64 " bytes is longer than the file", n);
	r = json_parse((const char *)bytes + 8, n, "header", code, &header, e);
	if (r < 0)
		return r;
	return header_take(f, header, bytes + 8 + n, f->len - 8 - n, code, e);
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
st_open(const char *path, int code, struct st_file **ret, struct err *e)
{
	struct fs_map map;
	int r;

	r = fs_map_open(path, code, &map, e);
	if (r < 0)
		return r;
	r = st_open_bytes(map.data, map.len, path, code, ret, e);
	if (r < 0)
		fs_map_close(&map);
	else
		(*ret)->map = map;
	return r;
}

void
st_free(struct st_file **f)
{
	if (!*f)
		return;
	fs_map_close(&(*f)->map);
	free((*f)->tensors);
	free((*f)->by_name);
	free((*f)->names);
	free((*f)->path);
	free(*f);
	*f = NULL;
}

const char *
st_path(const struct st_file *f)
{
	return f->path;
}

uint64_t
st_len(const struct st_file *f)
{
	return f->len;
}

size_t
st_count(const struct st_file *f)
{
	return f->count;
}

const struct st_tensor *
st_get(const struct st_file *f, size_t i)
{
	assert(i < f->count);
	return &f->tensors[i];
}

const struct st_tensor *
st_find(const struct st_file *f, const char *name)
{
	const struct st_tensor **t = bsearch(name, f->by_name, f->count, sizeof(*f->by_name), cmp_key);

	return t ? *t : NULL;
}

void
st_drop(const struct st_file *f, const unsigned char *data, uint64_t len)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = (uintptr_t)data / page * page;

	if (!f->map.data || !len)
		return;
	/* Pages at the edges may be shared with neighbours: these fault in again from the page cache. */
	(void)madvise((void *)begin, (uintptr_t)data + len - begin, MADV_DONTNEED);
}
