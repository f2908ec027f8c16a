/* The header Range (RFC 9110), as much of it as is served: one range of bytes. */
#ifndef HTTP_CORE_RANGE_H
#define HTTP_CORE_RANGE_H

#include "base/util.h"

enum range {
	RANGE_WHOLE, /* there is no range, or one to be ignored: several, of something else, nonsense */
	RANGE_PART,
	RANGE_OUTSIDE, /* of what has `size` bytes */
};

/* `header` NULL: there is none. The first byte and how many are set for RANGE_PART. */
enum range range_parse(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_len);

#endif
