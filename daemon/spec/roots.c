#include "roots.h"

#include <fcntl.h>

#include "base/fs.h"

int
spec_check_path(const char *path, int flags, const char *const *roots, size_t n_roots, const char *field,
		struct err *e)
{
	struct err why = ERR_INIT;
	size_t i;

	for (i = 0; i < n_roots; i++) {
		_cleanup_close_ int fd = -1;
		const char *rest = fs_below(roots[i], path);

		/* A link that leads out of one root may lead into another root. */
		if (rest && fs_open_beneath(roots[i], rest, O_PATH | flags, E_BAD_REQUEST, &fd, &why) == 0)
			return 0;
	}
	if (why.code == 0)
		(void)err_set(&why, E_NOT_ALLOWED, "'%s' lies outside the folders that jobs may read", path);
	return err_set(e, why.code, "%s: %s", field, why.msg);
}

static int
source_check(const char *source, const char *name, const char *const *roots, size_t n_roots, char *field,
	     struct err *e)
{
	if (!source || spec_is_repo(source))
		return 0;
	(void)snprintf(field, SPEC_FIELD_LEN, "%s", name);
	return spec_check_path(source, O_DIRECTORY, roots, n_roots, field, e);
}

static int
paths_check(const struct spec_paths *paths, const char *name, const char *const *roots, size_t n_roots,
	    char *field, struct err *e)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < paths->n; i++) {
		(void)snprintf(field, SPEC_FIELD_LEN, "%s[%zu]", name, i);
		r = spec_check_path(paths->item[i], 0, roots, n_roots, field, e);
	}
	return r;
}

int
spec_check_roots(const struct spec *spec, const char *const *roots, size_t n_roots,
		 char field[SPEC_FIELD_LEN], struct err *e)
{
	const struct spec_field *f;
	const void *member;
	int r = 0;

	field[0] = '\0';
	if (n_roots == 0)
		return 0;
	for (f = spec_fields; r == 0 && f < spec_fields + SPEC_FIELD_MAX; f++) {
		member = (const char *)spec + f->offset;
		if (f->kind == SPEC_KIND_SOURCE)
			r = source_check(*(char *const *)member, f->key, roots, n_roots, field, e);
		else if (f->kind == SPEC_KIND_PATHS)
			r = paths_check(member, f->key, roots, n_roots, field, e);
	}
	if (r == 0)
		field[0] = '\0';
	return r;
}
