/*
 * A harness is a file with this function, in libFuzzer's form. With main.c it becomes a program; `clang
 * -fsanitize=fuzzer` links it without main.c.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
