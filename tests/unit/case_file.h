/* Makes case files for tests: safetensors files written by hand, so that they can also be wrong. */
#ifndef TESTS_UNIT_CASE_FILE_H
#define TESTS_UNIT_CASE_FILE_H

#include <stddef.h>

struct case_tensor {
	const char *name;
	const char *dtype;
	const char *shape; /* as JSON: "[1, 2]" */
	const void *data;
	size_t len;
};

/* A tensor whose data is an array. */
/* clang-format off */
#define CASE_TENSOR(name, dtype, shape, array) {name, dtype, shape, array, sizeof(array)}
/* clang-format on */

void case_file_write(const char *path, const struct case_tensor *t, size_t count);

#endif
