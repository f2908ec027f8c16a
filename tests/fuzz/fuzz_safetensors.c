/*
 * The header of a safetensors file. In an accepted file all tensors lie inside the file, and each byte
 * belongs to one tensor.
 */
#include "fuzz.h"

#include "checkpoint/safetensors.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct st_tensor *t;
	struct st_file *f = NULL;
	struct err e = ERR_INIT;
	uint64_t sum = 0;
	size_t i;

	if (st_open_bytes(data, len, "input", E_BAD_CHECKPOINT, &f, &e) < 0) {
		assert(e.code == E_BAD_CHECKPOINT && e.msg[0]);
		return 0;
	}
	for (i = 0; i < st_count(f); i++) {
		t = st_get(f, i);
		assert(st_find(f, t->name) == t);
		assert(t->len == (uint64_t)t->count * elem_size(t->dtype));
		assert(!t->len || (t->data >= data + 8 && t->len <= (size_t)(data + len - t->data)));
		sum += t->len;
	}
	assert(sum <= len - 8);
	st_free(&f);
	return 0;
}
