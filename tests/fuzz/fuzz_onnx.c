/* An ONNX file of anybody, as `colconvctl inspect` reads it: described, or refused with a sentence. */
#include "fuzz.h"

#include "onnx/inspect.h"
#include "scratch.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err e = ERR_INIT;
	json_t *j = NULL;

	if (onnx_inspect(scratch_write(data, len), &j, &e) < 0)
		assert((e.code == E_BAD_ONNX || e.code == E_NO_MEMORY) && e.msg[0]);
	else
		assert(json_is_array(json_object_get(j, "inputs")) &&
		       json_is_integer(json_object_get(j, "bytes")));
	json_decref(j);
	return 0;
}
