#include "test.h"

#include "http/core/range.h"

TEST(test_ranges)
{
	static const struct {
		const char *header;
		uint64_t size;
		enum range want;
		uint64_t first, len;
	} cases[] = {
		{NULL, 10, RANGE_WHOLE, 0, 0},
		{"bytes=0-0", 10, RANGE_PART, 0, 1},
		{"bytes=0-9", 10, RANGE_PART, 0, 10},
		{"bytes=3-5", 10, RANGE_PART, 3, 3},
		{"bytes=3-", 10, RANGE_PART, 3, 7},
		{"bytes=9-", 10, RANGE_PART, 9, 1},
		{"bytes=9-99", 10, RANGE_PART, 9, 1},
		{"bytes=9-99999999999999999999999999", 10, RANGE_PART, 9, 1},
		{"bytes=-3", 10, RANGE_PART, 7, 3},
		{"bytes=-10", 10, RANGE_PART, 0, 10},
		{"bytes=-99999999999999999999999999", 10, RANGE_PART, 0, 10},
		{"BYTES= 3-5 ", 10, RANGE_PART, 3, 3},
		{"bytes=4294967296-4294967297", UINT64_C(1) << 40, RANGE_PART, UINT64_C(1) << 32, 2},
		{"bytes=18446744073709551615-", UINT64_MAX, RANGE_OUTSIDE, 0, 0},
		{"bytes=10-", 10, RANGE_OUTSIDE, 0, 0},
		{"bytes=99999999999999999999999999-", 10, RANGE_OUTSIDE, 0, 0},
		{"bytes=0-", 0, RANGE_OUTSIDE, 0, 0},
		{"bytes=0-0", 0, RANGE_OUTSIDE, 0, 0},
		{"bytes=-0", 10, RANGE_OUTSIDE, 0, 0},
		{"bytes=-5", 0, RANGE_WHOLE, 0, 0},
		{"bytes=5-3", 10, RANGE_WHOLE, 0, 0},
		{"bytes=0-1,3-4", 10, RANGE_WHOLE, 0, 0},
		{"bytes=0-1, -1", 10, RANGE_WHOLE, 0, 0},
		{"bytes=-", 10, RANGE_WHOLE, 0, 0},
		{"bytes=", 10, RANGE_WHOLE, 0, 0},
		{"bytes", 10, RANGE_WHOLE, 0, 0},
		{"", 10, RANGE_WHOLE, 0, 0},
		{"bytes=5", 10, RANGE_WHOLE, 0, 0},
		{"bytes=--5", 10, RANGE_WHOLE, 0, 0},
		{"bytes=+1-2", 10, RANGE_WHOLE, 0, 0},
		{"bytes=0x1-2", 10, RANGE_WHOLE, 0, 0},
		{"bytes=1-2-3", 10, RANGE_WHOLE, 0, 0},
		{"bytes=1 -2", 10, RANGE_WHOLE, 0, 0},
		{"items=0-1", 10, RANGE_WHOLE, 0, 0},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t first = 0, len = 0;
		enum range got = range_parse(cases[i].header, cases[i].size, &first, &len);

		if (got != cases[i].want || first != cases[i].first || len != cases[i].len)
			fail_msg("'%s': %d, %llu, %llu", cases[i].header ? cases[i].header : "(none)",
				 (int)got, (unsigned long long)first, (unsigned long long)len);
	}
}

int
main(void)
{
	return tests_run("range", NULL, NULL);
}
