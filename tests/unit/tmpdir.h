/* A folder for the files of one test program: *state of every test is its path. */
#ifndef TESTS_UNIT_TMPDIR_H
#define TESTS_UNIT_TMPDIR_H

#include "base/fs.h"
#include "base/str.h"

static inline int
tmpdir_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *path = str_printf("%s/colconv-test-XXXXXX", tmp ? tmp : "/tmp");

	*state = path;
	return path && mkdtemp(path) ? 0 : -1;
}

static inline int
tmpdir_teardown(void **state)
{
	int r = fs_remove(*state, NULL);

	free(*state);
	return r;
}

/* Writes DIR/NAME without syncing it. */
static inline void
tmpdir_write(const char *dir, const char *name, const void *data, size_t len)
{
	_cleanup_free_ char *path = fs_join(dir, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

#endif
