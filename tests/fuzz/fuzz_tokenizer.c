/*
 * A tokenizer.json, a zero byte, and a text. An accepted tokenizer must give ids that are not negative, and
 * the same ids again.
 */
#include "fuzz.h"

#include <string.h>

#include "tokenizer/tokenizer.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(tokenizer_free) struct tokenizer *t = NULL;
	_cleanup_(ids_release) struct ids once = IDS_INIT, twice = IDS_INIT;
	const uint8_t *zero = len ? memchr(data, 0, len) : NULL;
	const char *text = zero ? (const char *)zero + 1 : "some text";
	size_t text_len = zero ? len - (size_t)(zero + 1 - data) : strlen(text), i;
	struct err e = ERR_INIT;

	if (tokenizer_parse((const char *)data, zero ? (size_t)(zero - data) : len, "input", &t, &e) < 0) {
		assert((e.code == E_BAD_CHECKPOINT || e.code == E_UNSUPPORTED_MODEL) && e.msg[0]);
		return 0;
	}
	if (tokenizer_encode(t, text, text_len, true, &once, &e) < 0) {
		assert(e.code == E_BAD_REQUEST || e.code == E_BAD_CHECKPOINT);
		return 0;
	}
	assert(tokenizer_encode(t, text, text_len, true, &twice, &e) == 0 && once.n == twice.n);
	for (i = 0; i < once.n; i++)
		assert(once.id[i] >= 0 && once.id[i] == twice.id[i]);
	return 0;
}
