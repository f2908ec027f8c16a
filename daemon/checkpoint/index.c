#include "index.h"

#include "base/fs.h"
#include "base/map.h"
#include "base/str.h"
#include "names.h"
#include "scan.h"
#include "sniff.h"

#define INDEX_LEN_MAX (64u << 20)

/* One row of weight_map. */
struct row {
	char tensor[NAME_LEN_MAX];
	char shard[256]; /* a plain file name */
};

/* A tensor in a shard: all shards' tensors in one list, for lookups by name. */
struct place {
	const char *tensor;
	size_t shard;
};

struct places {
	struct place *at; /* sorted by name */
	size_t count;
};

typedef int (*row_fn)(void *arg, const struct row *row, struct err *e);

void
index_lost_release(struct index_lost *l)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(l->name); i++) {
		free(TAKE(l->name[i]));
		free(TAKE(l->shard[i]));
	}
}

void
shards_release(struct shards *s)
{
	while (s->count)
		st_free(&s->file[--s->count]);
	free(TAKE(s->file));
	index_lost_release(&s->lost);
}

static int
cmp_str(const void *pa, const void *pb)
{
	return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

static int
row_read(struct scan *s, struct row *row, struct err *e)
{
	size_t len;
	int r;

	if (scan_peek(s) != '"')
		return err_set(e, E_BAD_CHECKPOINT, "weight_map gives no file name for '%s'", row->tensor);
	r = scan_str(s, row->shard, sizeof(row->shard), &len, e);
	if (r == 0 &&
	    (len >= sizeof(row->shard) || !fs_name_ok(row->shard) || !str_ends(row->shard, ".safetensors")))
		return err_set(e, E_BAD_CHECKPOINT, "'%s' is not the plain name of a .safetensors file",
			       row->shard);
	return r;
}

/* Calls fn for each row of the map that begins at the scan's position. */
static int
rows_each(struct scan *s, row_fn fn, void *arg, struct err *e)
{
	struct row row;
	size_t len;
	int r;

	if (scan_peek(s) != '{')
		return err_set(e, E_BAD_CHECKPOINT, "weight_map must be an object");
	r = scan_open(s, '{', e);
	while (r == 0 && (r = scan_key(s, row.tensor, sizeof(row.tensor), &len, e)) > 0) {
		if (len >= sizeof(row.tensor))
			return err_set(e, E_BAD_CHECKPOINT, "a tensor's name has %zu bytes, more than %zu",
				       len, sizeof(row.tensor) - 1);
		r = row_read(s, &row, e);
		if (r == 0)
			r = fn(arg, &row, e);
	}
	return r;
}

/* Calls fn for each row of weight_map, wherever in the file weight_map lies. */
static int
map_each(const void *text, size_t len, row_fn fn, void *arg, struct err *e)
{
	bool found = false;
	struct scan s;
	char key[16];
	size_t key_len;
	int r;

	scan_init(&s, text, len, INDEX_NAME, E_BAD_CHECKPOINT);
	if (strchr("[\"tfn-0123456789", scan_peek(&s)) && scan_peek(&s))
		return err_set(e, E_BAD_CHECKPOINT, "it must hold a JSON object");
	r = scan_open(&s, '{', e);
	while (r == 0 && (r = scan_key(&s, key, sizeof(key), &key_len, e)) > 0) {
		if (!str_eq(key, "weight_map")) {
			r = scan_skip(&s, e);
			continue;
		}
		if (found)
			return err_set(e, E_BAD_CHECKPOINT, "weight_map is there twice");
		found = true;
		r = rows_each(&s, fn, arg, e);
	}
	if (r < 0 || (r = scan_end(&s, e)) < 0)
		return r;
	return found ? 0 : err_set(e, E_BAD_CHECKPOINT, "weight_map is missing");
}

/* Collects the shard names as the keys of an object; the values are set when the shards are opened. */
static int
name_collect(void *arg, const struct row *row, struct err *e)
{
	json_t *names = arg;

	if (json_object_get(names, row->shard))
		return 0;
	if (json_object_size(names) == INDEX_SHARDS_MAX)
		return err_set(e, E_BAD_CHECKPOINT, "weight_map names more than %d files", INDEX_SHARDS_MAX);
	return json_object_set_new(names, row->shard, json_null()) < 0 ? err_no_memory(e) : 0;
}

static int
names_collect(const void *text, size_t len, json_t **ret, struct err *e)
{
	json_auto_t *names = json_object();
	int r;

	if (!names)
		return err_no_memory(e);
	r = sniff_check(text, len, E_BAD_CHECKPOINT, e);
	if (r == 0)
		r = map_each(text, len, name_collect, names, e);
	if (r == 0 && !json_object_size(names))
		r = err_set(e, E_BAD_CHECKPOINT, "weight_map names no file");
	if (r == 0)
		*ret = TAKE(names);
	return r;
}

int
index_shard_check(struct folder *dir, const char *name, struct err *e)
{
	if (folder_has(dir, name))
		return 0;
	return err_set(e, E_BAD_CHECKPOINT, "shard '%s/%s' is missing", folder_path(dir), name);
}

static int
shard_open(struct folder *dir, const char *name, struct st_file **ret, struct err *e)
{
	int r = index_shard_check(dir, name, e);

	return r < 0 ? r : st_open_in(dir, name, E_BAD_CHECKPOINT, ret, e);
}

static int
shards_open(struct folder *dir, json_t *names, struct shards *ret, struct err *e)
{
	_cleanup_free_ const char **sorted = calloc(json_object_size(names), sizeof(*sorted));
	size_t i, n = 0, tensors = 0;
	const char *name;
	json_t *v;
	int r;

	ret->file = calloc(json_object_size(names), sizeof(*ret->file));
	if (!sorted || !ret->file)
		return err_no_memory(e);
	json_object_foreach(names, name, v)
		sorted[n++] = name;
	qsort(sorted, n, sizeof(*sorted), cmp_str);
	for (i = 0; i < n; i++) {
		r = shard_open(dir, sorted[i], &ret->file[i], e);
		if (r < 0)
			return r;
		ret->count++;
		tensors += st_count(ret->file[i]);
		if (tensors > INDEX_TENSORS_MAX)
			return err_set(e, E_BAD_CHECKPOINT, "its shards have more than %d tensors",
				       INDEX_TENSORS_MAX);
		if (json_object_set_new(names, sorted[i], json_integer((json_int_t)i)) < 0)
			return err_no_memory(e);
	}
	return 0;
}

static int
cmp_place(const void *pa, const void *pb)
{
	const struct place *a = pa, *b = pb;
	int d = strcmp(a->tensor, b->tensor);

	return d ? d : (a->shard > b->shard) - (a->shard < b->shard);
}

static int
places_collect(const struct shards *s, struct places *ret, struct err *e)
{
	size_t i, k, n = 1;

	for (i = 0; i < s->count; i++)
		n += st_count(s->file[i]);
	ret->at = calloc(n, sizeof(*ret->at));
	if (!ret->at)
		return err_no_memory(e);
	for (i = 0; i < s->count; i++)
		for (k = 0; k < st_count(s->file[i]); k++)
			ret->at[ret->count++] = (struct place){st_get(s->file[i], k)->name, i};
	qsort(ret->at, ret->count, sizeof(*ret->at), cmp_place);
	return 0;
}

/* The first place of a tensor, or the place where it would be inserted. */
static const struct place *
place_first(const struct places *p, const char *tensor)
{
	size_t low = 0, high = p->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (strcmp(p->at[mid].tensor, tensor) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return p->at + low;
}

static int
lost_add(struct index_lost *l, const struct row *row, struct err *e)
{
	if (l->count < ARRAY_LEN(l->name)) {
		l->name[l->count] = strdup(row->tensor);
		l->shard[l->count] = strdup(row->shard);
		if (!l->name[l->count] || !l->shard[l->count])
			return err_no_memory(e);
	}
	l->count++;
	return 0;
}

struct check {
	json_t *names;
	struct shards *shards;
	struct places places;
};

static void
check_release(struct check *c)
{
	free(c->places.at);
	json_decref(c->names);
}

/*
 * Checks that no shard other than the one in the map holds the tensor; the tensor may be missing
 * everywhere. A tensor that the map does not list is allowed as long as only one shard holds it:
 * checkpoint.c checks that.
 */
static int
row_check(void *arg, const struct row *row, struct err *e)
{
	struct check *c = arg;
	const struct place *p = place_first(&c->places, row->tensor), *end = c->places.at + c->places.count;
	const size_t want = (size_t)json_integer_value(json_object_get(c->names, row->shard));

	if (p == end || !str_eq(p->tensor, row->tensor))
		return lost_add(&c->shards->lost, row, e);
	for (; p < end && str_eq(p->tensor, row->tensor); p++)
		if (p->shard != want)
			return err_set(e, E_BAD_CHECKPOINT,
				       "tensor '%s' is in '%s', but weight_map says '%s'", row->tensor,
				       fs_basename(st_path(c->shards->file[p->shard])), row->shard);
	return 0;
}

static int
index_check(struct folder *dir, const void *text, size_t len, struct shards *ret, struct err *e)
{
	_cleanup_(check_release) struct check c = {.shards = ret};
	int r;

	if ((r = names_collect(text, len, &c.names, e)) < 0 || (r = shards_open(dir, c.names, ret, e)) < 0 ||
	    (r = places_collect(ret, &c.places, e)) < 0)
		return r;
	return map_each(text, len, row_check, &c, e);
}

int
index_open_text(struct folder *dir, const void *text, size_t len, struct shards *ret, struct err *e)
{
	_cleanup_(shards_release) struct shards shards = {.count = 0};
	int r = index_check(dir, text, len, &shards, e);

	if (r < 0)
		return err_context(e, "'%s/" INDEX_NAME "'", folder_path(dir));
	*ret = shards;
	shards = (struct shards){.count = 0};
	return 0;
}

static int
index_map(struct folder *dir, struct map *ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(folder_path(dir), INDEX_NAME);
	uint64_t len;
	int fd, r;

	if (!path)
		return err_no_memory(e);
	r = folder_open_file(dir, INDEX_NAME, E_BAD_CHECKPOINT, &fd, &len, e);
	if (r < 0)
		return r;
	if (len > INDEX_LEN_MAX) {
		(void)close(fd);
		return err_set(e, E_BAD_CHECKPOINT, "'%s' is larger than %u bytes", path, INDEX_LEN_MAX);
	}
	return map_fd_take(fd, len, path, E_BAD_CHECKPOINT, ret, e);
}

int
index_open(struct folder *dir, struct shards *ret, struct err *e)
{
	_cleanup_(map_close) struct map map = {.data = NULL};
	int r = index_map(dir, &map, e);

	return r < 0 ? r : index_open_text(dir, map.data, map.len, ret, e);
}

int
index_names_text(struct folder *dir, const void *text, size_t len, json_t **ret, struct err *e)
{
	int r = names_collect(text, len, ret, e);

	return r < 0 ? err_context(e, "'%s/" INDEX_NAME "'", folder_path(dir)) : 0;
}

int
index_names(struct folder *dir, json_t **ret, struct err *e)
{
	_cleanup_(map_close) struct map map = {.data = NULL};
	int r;

	r = index_map(dir, &map, e);
	return r < 0 ? r : index_names_text(dir, map.data, map.len, ret, e);
}
