#include "test.h"

#include "base/str.h"

static void
test_bytes_from_str(void **state)
{
	struct err e = ERR_INIT;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(str_to_bytes("2GB", "size", &n, &e), 0);
	assert_true(n == 2000000000);
	assert_int_equal(str_to_bytes("1.5KiB", "size", &n, &e), 0);
	assert_true(n == 1536);
	assert_int_equal(str_to_bytes("2GBB", "size", &n, &e), E_USAGE);
	assert_error(&e, E_USAGE, "size must be a size such as 500MB");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_from_str),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
