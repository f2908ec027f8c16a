/* A file in memory for harnesses whose parser reads a file by its path. */
#ifndef TESTS_FUZZ_SCRATCH_H
#define TESTS_FUZZ_SCRATCH_H

#include "base/util.h"

/* Replaces the content of the file, and returns its path. Aborts when that fails. */
const char *scratch_write(const void *data, size_t len);

#endif
