/*
 * The header is read twice: first to count tensors and names, then into memory of exactly that size.
 *
 *	{"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
 */
#include "header.h"

#include <inttypes.h>

#include "base/str.h"
#include "names.h"
#include "scan.h"

#define NAMES_LEN_MAX (32 << 20)

/* A tensor's entry in the header, before its parts are compared with each other. */
struct entry {
	char dtype[16];
	int64_t offset[2];
	bool has_dtype, has_shape, has_offsets;
};

static int
dtype_scan(struct scan *s, struct entry *ret, int code, struct err *e)
{
	size_t len;
	int r;

	if (scan_peek(s) != '"')
		return err_set(e, code, "dtype must be a string");
	r = scan_str(s, ret->dtype, sizeof(ret->dtype), &len, e);
	if (r == 0 && ret->has_dtype)
		return err_set(e, code, "dtype is there twice");
	ret->has_dtype = true;
	return r;
}

/*
 * Reads an array of whole numbers from 0 up: 1, or 0 when it holds anything else. Only the first `cap` are
 * stored.
 */
static int
numbers_scan(struct scan *s, int64_t *ret, int cap, int *ret_n, struct err *e)
{
	int64_t v = -1;
	int r;

	*ret_n = 0;
	r = scan_open(s, '[', e);
	while (r == 0 && (r = scan_element(s, e)) > 0) {
		r = strchr("-0123456789", scan_peek(s)) ? scan_int(s, &v, e) : 0;
		if (r < 0)
			return r;
		if (r == 0 || v < 0)
			return 0;
		if (*ret_n < cap)
			ret[*ret_n] = v;
		++*ret_n;
		r = 0;
	}
	return r < 0 ? r : 1;
}

static int
shape_scan(struct scan *s, struct entry *entry, struct st_tensor *t, int code, struct err *e)
{
	int i, r;

	if (scan_peek(s) != '[')
		return err_set(e, code, "shape must be an array");
	if (entry->has_shape)
		return err_set(e, code, "shape is there twice");
	entry->has_shape = true;
	r = numbers_scan(s, t->shape, TENSOR_RANK_MAX, &t->rank, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, code, "shape must hold whole numbers from 0");
	if (t->rank > TENSOR_RANK_MAX)
		return err_set(e, code, "it has %d dimensions, more than %d", t->rank, TENSOR_RANK_MAX);
	t->count = 1;
	for (i = 0; i < t->rank; i++)
		if (__builtin_mul_overflow(t->count, t->shape[i], &t->count))
			return err_set(e, code, "its shape has too many elements");
	return 0;
}

static int
offsets_scan(struct scan *s, struct entry *entry, int code, struct err *e)
{
	const int64_t *v = entry->offset;
	int r, n;

	if (scan_peek(s) != '[')
		return err_set(e, code, "data_offsets must be an array");
	if (entry->has_offsets)
		return err_set(e, code, "data_offsets is there twice");
	entry->has_offsets = true;
	r = numbers_scan(s, entry->offset, 2, &n, e);
	if (r < 0)
		return r;
	if (r == 0 || n != 2 || v[1] < v[0])
		return err_set(e, code, "data_offsets must be two whole numbers, begin and end");
	return 0;
}

/* Reads one tensor's object. Unknown keys are skipped. */
static int
entry_scan(struct scan *s, struct entry *ret, struct st_tensor *t, int code, struct err *e)
{
	char key[16];
	size_t len;
	int r;

	if (scan_peek(s) != '{')
		return err_set(e, code, "its entry must be an object");
	r = scan_open(s, '{', e);
	while (r == 0 && (r = scan_key(s, key, sizeof(key), &len, e)) > 0) {
		if (str_eq(key, "dtype"))
			r = dtype_scan(s, ret, code, e);
		else if (str_eq(key, "shape"))
			r = shape_scan(s, ret, t, code, e);
		else if (str_eq(key, "data_offsets"))
			r = offsets_scan(s, ret, code, e);
		else
			r = scan_skip(s, e);
	}
	if (r < 0)
		return r;
	if (!ret->has_dtype || !ret->has_shape || !ret->has_offsets)
		return err_set(e, code, "%s is missing",
			       !ret->has_dtype   ? "dtype"
			       : !ret->has_shape ? "shape"
						 : "data_offsets");
	return 0;
}

/* `data` is where offset 0 lies. The end of the data is checked later, when all tensors are known. */
static int
tensor_scan(struct scan *s, const unsigned char *data, uint64_t data_len, struct st_tensor *t, struct err *e)
{
	struct entry entry = {.has_dtype = false};
	const int code = s->code;
	uint64_t len;
	int r;

	r = entry_scan(s, &entry, t, code, e);
	if (r < 0)
		return r;
	t->dtype = elem_from_name(entry.dtype);
	if (t->dtype == ELEM_MAX)
		return err_set(e, code, "dtype '%s' is not known", entry.dtype);
	if ((uint64_t)entry.offset[1] > data_len)
		return err_set(e, code, "its bytes end at %" PRId64 ", but the file holds only %" PRIu64,
			       entry.offset[1], data_len);
	t->data = data + entry.offset[0];
	t->len = (uint64_t)(entry.offset[1] - entry.offset[0]);
	if (__builtin_mul_overflow((uint64_t)t->count, elem_size(t->dtype), &len) || len != t->len)
		return err_set(e, code, "it has %" PRIu64 " bytes, but %" PRId64 " elements of %s", t->len,
			       t->count, entry.dtype);
	return 0;
}

static int
metadata_scan(struct scan *s, struct err *e)
{
	const int code = s->code;
	char key[64];
	size_t len;
	int r;

	if (scan_peek(s) == 'n')
		return scan_skip(s, e);
	if (scan_peek(s) != '{')
		return err_set(e, code, "__metadata__ must be an object");
	r = scan_open(s, '{', e);
	while (r == 0 && (r = scan_key(s, key, sizeof(key), &len, e)) > 0) {
		if (scan_peek(s) != '"')
			return err_set(e, code, "__metadata__.%s must be a string", key);
		r = scan_skip(s, e);
	}
	return r;
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

/* Sorts the tensors by offset; a second list sorted by name finds duplicates. */
static int
tensors_sort(struct st_header *h, int code, struct err *e)
{
	size_t i;

	qsort(h->tensors, h->count, sizeof(*h->tensors), cmp_offset);
	for (i = 0; i < h->count; i++)
		h->by_name[i] = &h->tensors[i];
	qsort(h->by_name, h->count, sizeof(*h->by_name), cmp_name);
	for (i = 1; i < h->count; i++)
		if (str_eq(h->by_name[i - 1]->name, h->by_name[i]->name))
			return err_set(e, code, "its header names the tensor '%s' twice",
				       h->by_name[i]->name);
	return 0;
}

/* Compares every tensor with the one before it in the file. */
static int
tensors_check(struct st_header *h, const unsigned char *data, uint64_t data_len, int code, struct err *e)
{
	const unsigned char *at = data;
	size_t i;

	for (i = 0; i < h->count; i++) {
		struct st_tensor *t = &h->tensors[i];

		if (t->data != at)
			return err_set(e, code,
				       "tensor '%s' begins at byte %td, but the one before it ends at %td",
				       t->name, t->data - data, at - data);
		at += t->len;
		if (!t->len)
			t->data = NULL;
	}
	if (at != data + data_len)
		return err_set(e, code, "%td bytes after the last tensor do not belong to a tensor",
			       data + data_len - at);
	return 0;
}

/* Counts the tensors in the header, and adds up the lengths of their names. */
static int
header_measure(struct scan s, size_t *ret_count, size_t *ret_len, struct err *e)
{
	const int code = s.code;
	char name[NAME_LEN_MAX];
	size_t len;
	int r;

	*ret_count = *ret_len = 0;
	if (scan_peek(&s) != '{')
		return strchr("[\"ntf-0123456789", scan_peek(&s)) && scan_peek(&s)
			       ? err_set(e, code, "its header must be a JSON object")
			       : scan_open(&s, '{', e);
	r = scan_open(&s, '{', e);
	while (r == 0 && (r = scan_key(&s, name, sizeof(name), &len, e)) > 0) {
		if (len >= sizeof(name))
			return err_set(e, code, "a tensor's name has %zu bytes, more than %zu", len,
				       sizeof(name) - 1);
		*ret_len += len + 1;
		if (++*ret_count > ST_TENSORS_MAX || *ret_len > NAMES_LEN_MAX)
			return err_set(e, code,
				       "it has more than %d tensors, or names longer than %d bytes together",
				       ST_TENSORS_MAX, NAMES_LEN_MAX);
		r = scan_skip(&s, e);
	}
	return r < 0 ? r : scan_end(&s, e);
}

/*
 * Allocates once, in the size that the header needs: a hostile header costs little more than its own bytes.
 */
static int
tensors_alloc(struct st_header *h, size_t count, size_t names_len, struct err *e)
{
	/* One more than needed: an empty file is legal, and calloc(0) may give NULL. */
	h->names = malloc(names_len + 1);
	h->tensors = calloc(count + 1, sizeof(*h->tensors));
	h->by_name = calloc(count + 1, sizeof(*h->by_name));
	return h->names && h->tensors && h->by_name ? 0 : err_no_memory(e);
}

int
st_header_parse(const void *text, size_t text_len, const unsigned char *data, uint64_t data_len, int code,
		struct st_header *h, struct err *e)
{
	size_t count, names_len, len;
	struct scan s;
	char *name;
	int r;

	scan_init(&s, text, text_len, "header", code);
	if ((r = header_measure(s, &count, &names_len, e)) < 0 ||
	    (r = tensors_alloc(h, count, names_len, e)) < 0 || (r = scan_open(&s, '{', e)) < 0)
		return r;
	name = h->names;
	while ((r = scan_key(&s, name, NAME_LEN_MAX, &len, e)) > 0) {
		if (str_eq(name, "__metadata__")) {
			r = metadata_scan(&s, e);
			if (r < 0)
				return r;
			continue;
		}
		r = tensor_scan(&s, data, data_len, &h->tensors[h->count], e);
		if (r < 0)
			return err_context(e, "tensor '%s'", name);
		h->tensors[h->count++].name = name;
		name += len + 1;
	}
	if (r < 0 || (r = tensors_sort(h, code, e)) < 0)
		return r;
	return tensors_check(h, data, data_len, code, e);
}

void
st_header_release(struct st_header *h)
{
	free(h->tensors);
	free(h->by_name);
	free(h->names);
}
