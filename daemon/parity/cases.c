#include "cases.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>

#include "base/fs.h"
#include "base/str.h"

#define PREFIX "case-"
#define SUFFIX ".safetensors"

static void
case_release(struct parity_case *c)
{
	free(c->path);
	free(c->name);
	free(c->want);
	free(c->valid);
	st_free(&c->file);
	*c = (struct parity_case){0};
}

void
cases_release(struct cases *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		case_release(&l->items[i]);
	free(l->items);
	*l = (struct cases)CASES_INIT;
}

/* Makes "text-one" of "case-text-one.safetensors", cleaned so that it fits in a progress line. */
static char *
name_from_path(const char *path)
{
	const char *name = fs_basename(path);
	char *copy;
	size_t len;

	if (str_starts(name, PREFIX))
		name += strlen(PREFIX);
	len = strlen(name);
	if (str_ends(name, SUFFIX))
		len -= strlen(SUFFIX);
	copy = strndup(name, len);
	if (copy)
		str_clean(copy);
	return copy;
}

/* Gets a tensor, which must exist with this type and rank. */
static int
tensor_get(const struct st_file *f, const char *name, enum elem dtype, int rank, const struct st_tensor **ret,
	   struct err *e)
{
	const struct st_tensor *t = st_find(f, name);

	if (!t)
		return err_set(e, E_BAD_REFERENCE, "'%s': tensor '%s' is missing", st_path(f), name);
	if (t->dtype != dtype || t->rank != rank)
		return err_set(e, E_BAD_REFERENCE,
			       "'%s': tensor '%s' must be %s with %d dims, not %s with %d", st_path(f), name,
			       elem_name(dtype), rank, elem_name(t->dtype), t->rank);
	*ret = t;
	return 0;
}

/*
 * Finds the expected embeddings. Classes that give one vector for each row also call their output
 * embeddings, so `embeddings` may also be stored as `embedding`.
 */
static const struct st_tensor *
want_find(const struct st_file *f, const char *expect)
{
	_cleanup_free_ char *name = str_printf("out.%s", expect);
	const struct st_tensor *t = name ? st_find(f, name) : NULL;

	if (!t && str_eq(expect, "embeddings"))
		t = st_find(f, "out.embedding");
	else if (!t && str_eq(expect, "embedding"))
		t = st_find(f, "out.embeddings");
	return t;
}

static int
want_read(struct parity_case *c, const char *expect, struct err *e)
{
	const struct st_tensor *t = want_find(c->file, expect);
	_cleanup_free_ char *name = t ? strdup(t->name) : str_printf("out.%s", expect);
	int64_t i;
	int r;

	if (!name)
		return err_no_memory(e);
	c->one_each = t && t->rank == 2;
	r = tensor_get(c->file, name, ELEM_F32, c->one_each ? 2 : 3, &t, e);
	if (r < 0)
		return r;
	if (t->count == 0)
		return err_set(e, E_BAD_REFERENCE, "'%s': tensor '%s' is empty", c->path, name);
	c->want = malloc(t->len);
	if (!c->want)
		return err_no_memory(e);
	memcpy(c->want, t->data, t->len);
	for (i = 0; i < t->count; i++)
		if (!isfinite(c->want[i]))
			return err_set(e, E_BAD_REFERENCE, "'%s': tensor '%s' holds NaN or infinity", c->path,
				       name);
	c->batch = (size_t)t->shape[0];
	c->tokens = c->one_each ? 1 : (size_t)t->shape[1];
	c->dim = (size_t)t->shape[t->rank - 1];
	return 0;
}

/* Takes the rows and tokens of a case without embeddings from its mask. */
static int
mask_sizes(struct parity_case *c, struct err *e)
{
	const struct st_tensor *t;
	int r = tensor_get(c->file, "in.attention_mask", ELEM_I64, 2, &t, e);

	if (r < 0)
		return r;
	c->batch = (size_t)t->shape[0];
	c->tokens = (size_t)t->shape[1];
	return 0;
}

/*
 * Some models give fewer vectors for a page than it has tokens, so that the mask says nothing of these. All of them count:
 * a masked one is zeros, on both sides.
 */
static bool
fewer_vectors(const struct parity_case *c, const struct st_tensor *mask, size_t batch, size_t tokens)
{
	return st_find(c->file, "in.pixel_values") && (size_t)mask->shape[0] == batch &&
	       (size_t)mask->shape[1] > tokens;
}

/* The mask as a bool for each of [batch, tokens], or with `one_each` for each row: whether it has an unmasked token. */
static int
mask_read(const struct parity_case *c, size_t batch, size_t tokens, bool one_each, bool **ret, struct err *e)
{
	_cleanup_free_ bool *valid = NULL;
	const struct st_tensor *t;
	int64_t i, v;
	int r;

	r = tensor_get(c->file, "in.attention_mask", ELEM_I64, 2, &t, e);
	if (r < 0)
		return r;
	if (!one_each && fewer_vectors(c, t, batch, tokens)) {
		*ret = malloc(batch * tokens * sizeof(**ret) + 1);
		if (!*ret)
			return err_no_memory(e);
		memset(*ret, true, batch * tokens * sizeof(**ret));
		return 0;
	}
	if ((size_t)t->shape[0] != batch || (!one_each && (size_t)t->shape[1] != tokens))
		return err_set(
			e, E_BAD_REFERENCE,
			"'%s': in.attention_mask has %lld rows of %lld tokens, but the embeddings have "
			"%zu of %zu",
			c->path, (long long)t->shape[0], (long long)t->shape[1], batch, tokens);
	valid = calloc((size_t)t->count + 1, sizeof(*valid));
	if (!valid)
		return err_no_memory(e);
	for (i = 0; i < t->count; i++) {
		memcpy(&v, t->data + i * (int64_t)sizeof(v), sizeof(v));
		if (v != 0 && v != 1)
			return err_set(e, E_BAD_REFERENCE,
				       "'%s': in.attention_mask holds %lld, not only 0 and 1", c->path,
				       (long long)v);
		if (one_each)
			valid[i / t->shape[1]] |= v;
		else
			valid[i] = v;
	}
	*ret = TAKE(valid);
	return 0;
}

int
case_valid_make(const struct parity_case *c, const struct st_tensor *vectors, bool **ret, struct err *e)
{
	return mask_read(c, (size_t)vectors->shape[0], (size_t)vectors->shape[1], vectors->rank == 2, ret, e);
}

/* Inputs about tokens are whole numbers; all other inputs belong to images. */
static bool
has_pixels(const struct st_file *f)
{
	const struct st_tensor *t;
	size_t i;

	for (i = 0; i < st_count(f); i++) {
		t = st_get(f, i);
		if (str_starts(t->name, "in.") && (elem_is_weight(t->dtype) || t->dtype == ELEM_U8))
			return true;
	}
	return false;
}

/* Reads the expected embeddings. Only a case with a picture may lack them. */
static int
embeddings_read(struct parity_case *c, const char *expect, struct err *e)
{
	c->has_picture = st_find(c->file, "in.image") != NULL;
	return c->has_picture && !want_find(c->file, expect) ? mask_sizes(c, e) : want_read(c, expect, e);
}

/* On failure too, *ret owns what was allocated. */
static int
case_read(struct st_file *file_take, const char *expect, struct parity_case *ret, struct err *e)
{
	const char *path = st_path(file_take);
	int r = 0;

	ret->file = file_take;
	ret->path = strdup(path);
	ret->name = name_from_path(path);
	if (!ret->path || !ret->name)
		r = err_no_memory(e);
	if (r == 0)
		r = embeddings_read(ret, expect, e);
	if (r == 0)
		r = mask_read(ret, ret->batch, ret->tokens, ret->one_each, &ret->valid, e);
	ret->has_pixels = r == 0 && has_pixels(ret->file);
	ret->role = st_find(ret->file, "ranking.query")      ? CASE_ROLE_QUERY
		    : st_find(ret->file, "ranking.document") ? CASE_ROLE_DOCUMENT
							     : CASE_ROLE_NONE;
	return r;
}

static const struct parity_case *
first_embedded(const struct cases *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (l->items[i].want)
			return &l->items[i];
	return NULL;
}

static int
case_add_take(struct cases *l, struct st_file *file, const char *expect, struct err *e)
{
	_cleanup_(case_release) struct parity_case c = {0};
	const struct parity_case *first;
	struct parity_case *items;
	int r;

	r = case_read(file, expect, &c, e);
	if (r < 0)
		return r;
	if (l->count == CASES_MAX)
		return err_set(e, E_TOO_LARGE, "more than %d case files", CASES_MAX);
	first = first_embedded(l);
	if (first && c.want && c.dim != first->dim)
		return err_set(e, E_BAD_REFERENCE, "'%s' has embeddings of %zu elements, '%s' of %zu", c.path,
			       c.dim, first->path, first->dim);
	items = realloc(l->items, (l->count + 1) * sizeof(*items));
	if (!items)
		return err_no_memory(e);
	l->items = items;
	l->items[l->count++] = c;
	c = (struct parity_case){0};
	return 0;
}

int
cases_add_file(struct cases *l, const char *path, const char *expect, struct err *e)
{
	struct st_file *file;
	int r = st_open(path, E_BAD_REFERENCE, &file, e);

	return r < 0 ? r : case_add_take(l, file, expect, e);
}

int
cases_add_fd_take(struct cases *l, int fd, const char *path, const char *expect, struct err *e)
{
	struct st_file *file;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, E_BAD_REFERENCE, "descriptor %d ('%s') is not open on a regular file", fd,
			       path);
	r = st_open_fd_take(fd, (uint64_t)st.st_size, path, E_BAD_REFERENCE, &file, e);
	return r < 0 ? r : case_add_take(l, file, expect, e);
}

static int
is_case(const struct dirent *d)
{
	return str_starts(d->d_name, PREFIX) && str_ends(d->d_name, SUFFIX);
}

int
cases_add_dir(struct cases *l, const char *dir, const char *expect, struct err *e)
{
	struct dirent **names;
	int i, n, r = 0;

	n = scandir(dir, &names, is_case, alphasort);
	if (n < 0)
		return err_errno(e, E_BAD_REFERENCE, errno, "cannot read the folder '%s'", dir);
	for (i = 0; i < n; i++) {
		_cleanup_free_ char *path = fs_join(dir, names[i]->d_name);

		if (r == 0)
			r = path ? cases_add_file(l, path, expect, e) : err_no_memory(e);
		free(names[i]);
	}
	free(names);
	if (n == 0)
		return err_set(e, E_BAD_REFERENCE, "'%s' holds no " PREFIX "*" SUFFIX, dir);
	return r;
}

void
case_mask_apply(const struct parity_case *c, float *embeddings)
{
	size_t i;

	for (i = 0; i < c->batch * c->tokens; i++)
		if (!c->valid[i])
			memset(embeddings + i * c->dim, 0, c->dim * sizeof(*embeddings));
}

void
cases_unmask(struct cases *l)
{
	size_t i;

	for (i = 0; i < l->count; i++) {
		l->items[i].unmasked = true;
		if (l->items[i].want)
			case_mask_apply(&l->items[i], l->items[i].want);
	}
}

const struct st_tensor *
case_input_find(const struct parity_case *c, const char *name)
{
	_cleanup_free_ char *full = str_printf("in.%s", name);

	return full ? st_find(c->file, full) : NULL;
}

const struct st_tensor *
case_output_find(const struct parity_case *c, const char *name)
{
	_cleanup_free_ char *full = str_printf("out.%s", name);

	return full ? st_find(c->file, full) : NULL;
}
