/*
 * model.safetensors.index.json with two shards: 1.safetensors has the tensors a and c, 2.safetensors has b
 * and c. An accepted index names only these tensors, and each is where the index says, or is reported as
 * lost.
 */
#include "fuzz.h"

#include "base/fs.h"
#include "checkpoint/index.h"
#include "checkpoint/stwriter.h"

static char dir[64];

static void
dir_remove(void)
{
	(void)fs_remove(dir, NULL);
}

static void
shard_write(const char *name, const char *first, const char *second)
{
	_cleanup_free_ char *path = fs_join(dir, name);
	struct err e = ERR_INIT;
	struct stw *w = NULL;

	(void)stw_new(path, &w, &e);
	(void)stw_add(w, first, ELEM_U8, 1, (const int64_t[]){1}, &e);
	(void)stw_add(w, second, ELEM_U8, 1, (const int64_t[]){1}, &e);
	(void)stw_begin(w, &e);
	(void)stw_data(w, "xy", 2, &e);
	(void)stw_finish(w, &e);
	stw_free(&w);
	if (e.code)
		abort();
}

static void
dir_make(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/fuzz_index.XXXXXX");
	if (!mkdtemp(dir) || atexit(dir_remove))
		abort();
	shard_write("1.safetensors", "a", "c");
	shard_write("2.safetensors", "b", "c");
}

static void
shards_check(struct shards *s)
{
	size_t i;

	assert(s->count == 1 || s->count == 2);
	for (i = 0; i < s->count; i++)
		assert(st_count(s->file[i]) == 2);
	for (i = 0; i < MIN(s->lost.count, ARRAY_LEN(s->lost.name)); i++)
		assert(strcmp(s->lost.name[i], "a") || strcmp(s->lost.shard[i], "1.safetensors"));
	shards_release(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct folder *folder = NULL;
	struct err e = ERR_INIT;
	struct shards s;
	int r;

	if (!dir[0])
		dir_make();
	if (folder_open(dir, (struct folder_roots){.n = 0}, E_BAD_CHECKPOINT, &folder, &e) < 0)
		abort();
	r = index_open_text(folder, data, len, &s, &e);
	if (r == 0)
		shards_check(&s);
	assert(r == 0 || (e.code == E_BAD_CHECKPOINT && e.msg[0]));
	folder_free(&folder);
	return 0;
}
