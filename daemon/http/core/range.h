/* The header Range (RFC 9110). Only a single range of bytes is served; anything else gets the whole file. */
#ifndef HTTP_CORE_RANGE_H
#define HTTP_CORE_RANGE_H

#include "base/util.h"

enum range {
	RANGE_WHOLE, /* send the whole file: no range, several, another unit, nonsense */
	RANGE_PART,
	RANGE_OUTSIDE, /* 416: begins after the end of the file */
};

/* `header` NULL: the request has none. *ret_first and *ret_len are set for RANGE_PART. */
enum range range_parse(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_len);

#endif
