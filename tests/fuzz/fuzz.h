/*
 * A harness is a file with this function, as libFuzzer wants it. With main.c it is a
 * program of its own; `clang -fsanitize=fuzzer` links it without.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
