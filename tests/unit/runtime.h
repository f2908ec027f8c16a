/* For programs that need ONNX Runtime and a folder: a setup and a teardown of the program. */
#ifndef TESTS_UNIT_RUNTIME_H
#define TESTS_UNIT_RUNTIME_H

#include "test.h"

#include "base/fs.h"
#include "parity/ort.h"

static char dir[] = "/tmp/colconv-test-XXXXXX";
static bool have_runtime;

/* Takes the library that COLCONV_ORT_LIBRARY names, or the one that bootstrap put into the folder of the build. */
static int
runtime_setup(void **state)
{
	static const char built[] = "runtime/libonnxruntime.so.1";
	struct err e = ERR_INIT;

	(void)state;
	have_runtime = ort_open(fs_exists(built) && !getenv("COLCONV_ORT_LIBRARY") ? built : NULL, &e) == 0;
	if (!have_runtime)
		print_message("skipping what needs ONNX Runtime: %s\n", e.msg);
	return mkdtemp(dir) ? 0 : -1;
}

static int
runtime_teardown(void **state)
{
	(void)state;
	ort_close();
	return fs_remove(dir, /*e=*/NULL);
}

#endif
