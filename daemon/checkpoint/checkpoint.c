#include "checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/str.h"
#include "index.h"
#include "names.h"

#define CONFIG_LEN_MAX (8u << 20)

struct checkpoint {
	char *dir;
	json_t *config;
	struct st_file **files;
	size_t file_count;
	struct weight *weights; /* sorted by canonical name, which each owns */
	size_t weight_count;
};

static bool
dir_has(const char *dir, const char *name)
{
	_cleanup_free_ char *path = fs_join(dir, name);

	return path && fs_exists(path);
}

static int
config_read(struct checkpoint *c, struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->dir, "config.json");
	int r;

	if (!path)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	if (!fs_is_dir(c->dir))
		return err_set(e, E_BAD_CHECKPOINT, "'%s' is not a folder", c->dir);
	if (!fs_exists(path) && dir_has(c->dir, "adapter_config.json"))
		return err_set(e, E_UNSUPPORTED_MODEL,
			       "'%s' is a LoRA adapter without its base model; give the merged checkpoint",
			       c->dir);
	if (!fs_exists(path))
		return err_set(e, E_BAD_CHECKPOINT, "'%s' has no config.json", c->dir);
	r = json_read(path, CONFIG_LEN_MAX, E_BAD_CHECKPOINT, &c->config, e);
	if (r < 0)
		return r;
	if (!json_is_object(c->config))
		return err_set(e, E_BAD_CHECKPOINT, "'%s' must hold a JSON object", path);
	return 0;
}

static int
is_pickle(const struct dirent *d)
{
	return str_ends(d->d_name, ".bin") || str_ends(d->d_name, ".pt") || str_ends(d->d_name, ".pth") ||
	       str_ends(d->d_name, ".ckpt");
}

/* No weights that we read: say what is there instead. */
static int
weights_missing(const char *dir, struct err *e)
{
	struct dirent **found = NULL;
	int i, n = scandir(dir, &found, is_pickle, alphasort);

	if (n > 0)
		(void)err_set(e, E_BAD_CHECKPOINT,
			      "'%s' has pickled weights only ('%s'), which are never read; save the model "
			      "again as safetensors (safe_serialization=True)",
			      dir, found[0]->d_name);
	for (i = 0; i < n; i++)
		free(found[i]);
	free(found);
	return err_set(e, E_BAD_CHECKPOINT, "'%s' has neither model.safetensors nor " INDEX_NAME, dir);
}

static int
files_open(struct checkpoint *c, struct err *e)
{
	_cleanup_free_ char *path = fs_join(c->dir, "model.safetensors");
	int r;

	if (!path)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	if (!fs_exists(path))
		return dir_has(c->dir, INDEX_NAME) ? index_open(c->dir, &c->files, &c->file_count, e)
						   : weights_missing(c->dir, e);
	c->files = calloc(1, sizeof(*c->files));
	if (!c->files)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	r = st_open(path, E_BAD_CHECKPOINT, &c->files[0], e);
	if (r == 0)
		c->file_count = 1;
	return r;
}

static int
weight_add(struct checkpoint *c, const struct st_file *f, const struct st_tensor *t, struct err *e)
{
	struct weight *w = &c->weights[c->weight_count];
	char name[NAME_LEN_MAX];
	int r;

	r = name_canonical(t->name, name, e);
	if (r < 0)
		return err_context(e, "'%s'", st_path(f));
	if (r == 0)
		return 0;
	if (!st_dtype_is_weight(t->dtype))
		return err_set(e, E_BAD_CHECKPOINT,
			       "'%s': tensor '%s' is of dtype %s, not a floating point weight", st_path(f),
			       t->name, st_dtype_name(t->dtype));
	w->name = strdup(name);
	if (!w->name)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	w->tensor = t;
	w->file = f;
	c->weight_count++;
	return 0;
}

static int
cmp_weight(const void *pa, const void *pb)
{
	const struct weight *a = pa, *b = pb;
	int d = strcmp(a->name, b->name);

	/* Same names are an error: let it read the same every time. */
	return d ? d : strcmp(a->tensor->name, b->tensor->name);
}

static int
cmp_name(const void *key, const void *pw)
{
	return strcmp(key, ((const struct weight *)pw)->name);
}

static int
weights_collect(struct checkpoint *c, struct err *e)
{
	size_t i, k, n = 1;
	int r;

	for (i = 0; i < c->file_count; i++)
		n += st_count(c->files[i]);
	c->weights = calloc(n, sizeof(*c->weights));
	if (!c->weights)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	for (i = 0; i < c->file_count; i++) {
		for (k = 0; k < st_count(c->files[i]); k++) {
			r = weight_add(c, c->files[i], st_get(c->files[i], k), e);
			if (r < 0)
				return r;
		}
	}
	qsort(c->weights, c->weight_count, sizeof(*c->weights), cmp_weight);
	for (i = 1; i < c->weight_count; i++) {
		const struct weight *a = &c->weights[i - 1], *b = &c->weights[i];

		if (str_eq(a->name, b->name))
			return err_set(e, E_BAD_CHECKPOINT,
				       "'%s' in '%s' and '%s' in '%s' are the same tensor, '%s'",
				       a->tensor->name, st_path(a->file), b->tensor->name, st_path(b->file),
				       a->name);
	}
	return 0;
}

static void
checkpoint_freep(struct checkpoint **c)
{
	checkpoint_free(c);
}

int
checkpoint_open(const char *dir, struct checkpoint **ret, struct err *e)
{
	_cleanup_(checkpoint_freep) struct checkpoint *c = calloc(1, sizeof(*c));
	int r;

	if (!c || !(c->dir = strdup(dir)))
		return err_set(e, E_NO_MEMORY, "memory ran out");
	if ((r = config_read(c, e)) < 0 || (r = files_open(c, e)) < 0 || (r = weights_collect(c, e)) < 0)
		return r;
	*ret = TAKE(c);
	return 0;
}

void
checkpoint_free(struct checkpoint **pc)
{
	struct checkpoint *c = *pc;
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->weight_count; i++)
		free((char *)(uintptr_t)c->weights[i].name);
	free(c->weights);
	for (i = 0; i < c->file_count; i++)
		st_free(&c->files[i]);
	free(c->files);
	json_decref(c->config);
	free(c->dir);
	free(c);
	*pc = NULL;
}

const char *
checkpoint_dir(const struct checkpoint *c)
{
	return c->dir;
}

const json_t *
checkpoint_config(const struct checkpoint *c)
{
	return c->config;
}

size_t
checkpoint_count(const struct checkpoint *c)
{
	return c->weight_count;
}

const struct weight *
checkpoint_get(const struct checkpoint *c, size_t i)
{
	assert(i < c->weight_count);
	return &c->weights[i];
}

const struct weight *
checkpoint_find(const struct checkpoint *c, const char *name)
{
	return bsearch(name, c->weights, c->weight_count, sizeof(*c->weights), cmp_name);
}

size_t
checkpoint_file_count(const struct checkpoint *c)
{
	return c->file_count;
}

const struct st_file *
checkpoint_file(const struct checkpoint *c, size_t i)
{
	assert(i < c->file_count);
	return c->files[i];
}

/* "(1536, 8960)" */
static const char *
shape_str(int rank, const int64_t *shape, char *buf, size_t len)
{
	size_t n = 1;
	int i;

	(void)snprintf(buf, len, "(");
	for (i = 0; i < rank && n < len; i++)
		n += (size_t)snprintf(buf + n, len - n, "%s%" PRId64, i ? ", " : "", shape[i]);
	if (n < len)
		(void)snprintf(buf + n, len - n, ")");
	return buf;
}

int
checkpoint_require(const struct checkpoint *c, const char *name, int rank, const int64_t *shape,
		   const struct weight **ret, struct err *e)
{
	const struct weight *w = checkpoint_find(c, name);
	char found[24 * TENSOR_RANK_MAX], want[24 * TENSOR_RANK_MAX];

	if (!w)
		return err_set(e, E_BAD_CHECKPOINT, "'%s' has no tensor '%s'", c->dir, name);
	if (w->tensor->rank != rank || memcmp(w->tensor->shape, shape, (size_t)rank * sizeof(*shape)) != 0)
		return err_set(e, E_BAD_CHECKPOINT,
			       "tensor '%s' ('%s' in '%s') has the shape %s instead of %s", name,
			       w->tensor->name, st_path(w->file),
			       shape_str(w->tensor->rank, w->tensor->shape, found, sizeof(found)),
			       shape_str(rank, shape, want, sizeof(want)));
	*ret = w;
	return 0;
}
