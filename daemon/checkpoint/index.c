#include "index.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"

#define INDEX_LEN_MAX (64u << 20)

struct shards {
	struct st_file **files;
	size_t count;
};

static void
shards_release(struct shards *s)
{
	while (s->count)
		st_free(&s->files[--s->count]);
	free(s->files);
}

static int
cmp_str(const void *pa, const void *pb)
{
	return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

/* The set of file names in the map, as the keys of an object; their values are set when they are opened. */
static int
names_collect(const json_t *map, json_t *names, struct err *e)
{
	const char *tensor, *name;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)map, tensor, v) {
		name = json_string_value(v);
		if (!name)
			return err_set(e, E_BAD_CHECKPOINT, "weight_map gives no file name for '%s'", tensor);
		if (!fs_name_ok(name) || !str_ends(name, ".safetensors"))
			return err_set(e, E_BAD_CHECKPOINT,
				       "'%s' is not the plain name of a .safetensors file", name);
		if (!json_object_get(names, name) && json_object_size(names) == INDEX_SHARDS_MAX)
			return err_set(e, E_BAD_CHECKPOINT, "weight_map names more than %d files",
				       INDEX_SHARDS_MAX);
		if (json_object_set_new(names, name, json_null()) < 0)
			return err_no_memory(e);
	}
	if (!json_object_size(names))
		return err_set(e, E_BAD_CHECKPOINT, "weight_map names no file");
	return 0;
}

static int
shard_open(const char *dir, const char *name, struct st_file **ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(dir, name);

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(path))
		return err_set(e, E_BAD_CHECKPOINT, "shard '%s' is missing", path);
	return st_open(path, E_BAD_CHECKPOINT, ret, e);
}

static int
shards_open(const char *dir, json_t *names, struct shards *ret, struct err *e)
{
	_cleanup_free_ const char **sorted = calloc(json_object_size(names), sizeof(*sorted));
	size_t i, n = 0;
	const char *name;
	json_t *v;
	int r;

	ret->files = calloc(json_object_size(names), sizeof(*ret->files));
	if (!sorted || !ret->files)
		return err_no_memory(e);
	json_object_foreach(names, name, v)
		sorted[n++] = name;
	qsort(sorted, n, sizeof(*sorted), cmp_str);
	for (i = 0; i < n; i++) {
		r = shard_open(dir, sorted[i], &ret->files[i], e);
		if (r < 0)
			return r;
		ret->count++;
		if (json_object_set_new(names, sorted[i], json_integer((json_int_t)i)) < 0)
			return err_no_memory(e);
	}
	return 0;
}

/* Every tensor that the map names is in its shard. */
static int
map_check(const json_t *map, const json_t *names, const struct shards *s, struct err *e)
{
	const char *tensor, *name;
	json_t *v;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)map, tensor, v) {
		name = json_string_value(v);
		i = (size_t)json_integer_value(json_object_get(names, name));
		if (!st_find(s->files[i], tensor))
			return err_set(e, E_BAD_CHECKPOINT,
				       "tensor '%s' is not in '%s', where weight_map says it is", tensor,
				       name);
	}
	return 0;
}

/*
 * No shard has a tensor that the map gives to another. One that the map does not know is
 * legal, as long as it is in one shard only: checkpoint.c sees to that.
 */
static int
shard_check(const json_t *map, const struct st_file *f, struct err *e)
{
	const char *name = fs_basename(st_path(f)), *want;
	size_t i;

	for (i = 0; i < st_count(f); i++) {
		want = json_string_value(json_object_get(map, st_get(f, i)->name));
		if (want && !str_eq(want, name))
			return err_set(e, E_BAD_CHECKPOINT,
				       "tensor '%s' is in '%s', but weight_map says '%s'", st_get(f, i)->name,
				       name, want);
	}
	return 0;
}

/* The parsed file, its map (borrowed from it) and the set of names in that. */
static int
index_parse(const char *path, json_t **ret, const json_t **ret_map, json_t **ret_names, struct err *e)
{
	json_auto_t *index = NULL, *names = json_object();
	const json_t *map = NULL;
	int r;

	if (!names)
		return err_no_memory(e);
	r = json_read(path, INDEX_LEN_MAX, E_BAD_CHECKPOINT, &index, e);
	if (r < 0)
		return r;
	if (!json_is_object(index))
		r = err_set(e, E_BAD_CHECKPOINT, "it must hold a JSON object");
	if (r == 0)
		r = json_get_obj(index, "", "weight_map", JSON_REQUIRED, E_BAD_CHECKPOINT, &map, e);
	if (r == 0)
		r = names_collect(map, names, e);
	if (r < 0)
		return err_context(e, "'%s'", path);
	*ret = TAKE(index);
	*ret_map = map;
	*ret_names = TAKE(names);
	return 0;
}

static int
index_check(const char *dir, const json_t *map, json_t *names, struct shards *ret, struct err *e)
{
	size_t i;
	int r;

	if ((r = shards_open(dir, names, ret, e)) < 0 || (r = map_check(map, names, ret, e)) < 0)
		return r;
	for (i = 0; i < ret->count && r == 0; i++)
		r = shard_check(map, ret->files[i], e);
	return r;
}

int
index_open(const char *dir, struct st_file ***ret, size_t *ret_count, struct err *e)
{
	_cleanup_(shards_release) struct shards shards = {.count = 0};
	_cleanup_free_ char *path = fs_join(dir, INDEX_NAME);
	json_auto_t *index = NULL, *names = NULL;
	const json_t *map;
	int r;

	if (!path)
		return err_no_memory(e);
	r = index_parse(path, &index, &map, &names, e);
	if (r < 0)
		return r;
	r = index_check(dir, map, names, &shards, e);
	if (r < 0)
		return err_context(e, "'%s'", path);
	*ret = TAKE(shards.files);
	*ret_count = shards.count;
	shards.count = 0;
	return 0;
}

int
index_names(const char *path, json_t **ret, struct err *e)
{
	json_auto_t *index = NULL;
	const json_t *map;

	return index_parse(path, &index, &map, ret, e);
}
