/*
 * The options of a job, as anybody may post them. What is accepted is printed, and the text read again: it must be
 * accepted too, and print the same.
 */
#include "fuzz.h"

#include "spec/spec.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = strndup((const char *)data, len);
	_cleanup_(spec_release) struct spec spec = SPEC_INIT, again = SPEC_INIT;
	_cleanup_(buf_release) struct buf once = BUF_INIT, twice = BUF_INIT;
	struct err e = ERR_INIT;

	if (!text)
		abort();
	if (spec_from_text(text, "the input", E_BAD_REQUEST, &spec, &e) < 0) {
		assert(e.code == E_BAD_REQUEST && e.msg[0]);
		return 0;
	}
	spec_print(&spec, &once);
	if (buf_failed(&once, &e) < 0)
		abort();
	assert(spec_from_text(once.data, "the print", E_BAD_REQUEST, &again, &e) == 0);
	spec_print(&again, &twice);
	assert(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	return 0;
}
