#include "range.h"

#include <strings.h>

/* Reads the digits at *s and moves *s behind them. A number that does not fit becomes UINT64_MAX. */
static bool
number_take(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		v = v > (UINT64_MAX - 9) / 10 ? UINT64_MAX : v * 10 + (uint64_t)(*p - '0');
	if (p == *s)
		return false;
	*s = p;
	*ret = v;
	return true;
}

/* The last `n` bytes. */
static enum range
suffix(uint64_t n, uint64_t size, uint64_t *ret_first, uint64_t *ret_len)
{
	if (n == 0)
		return RANGE_OUTSIDE;
	if (size == 0)
		return RANGE_WHOLE;
	*ret_len = MIN(n, size);
	*ret_first = size - *ret_len;
	return RANGE_PART;
}

enum range
range_parse(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_len)
{
	uint64_t first = 0, last = UINT64_MAX;
	bool from_end;

	if (!header || strncasecmp(header, "bytes=", 6) != 0)
		return RANGE_WHOLE;
	header += 6 + strspn(header + 6, " \t");
	from_end = !number_take(&header, &first);
	if (*header++ != '-')
		return RANGE_WHOLE;
	if (!number_take(&header, &last) && from_end)
		return RANGE_WHOLE;
	header += strspn(header, " \t");
	if (*header)
		return RANGE_WHOLE;
	if (from_end)
		return suffix(last, size, ret_first, ret_len);
	if (last < first)
		return RANGE_WHOLE;
	if (first >= size)
		return RANGE_OUTSIDE;
	*ret_first = first;
	*ret_len = MIN(last, size - 1) - first + 1;
	return RANGE_PART;
}
