/* The header Range of any client, after the size of the file in decimal and a newline: a part lies in the file. */
#include "fuzz.h"

#include "http/core/range.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = strndup((const char *)data, len);
	uint64_t size, first = 0, n = 0;
	char *header;
	enum range r;

	if (!text)
		abort();
	size = strtoull(text, &header, 10);
	r = range_parse(*header ? header + 1 : NULL, size, &first, &n);
	assert(r == RANGE_WHOLE || r == RANGE_PART || r == RANGE_OUTSIDE);
	if (r == RANGE_PART)
		assert(n > 0 && first < size && n <= size - first);
	return 0;
}
