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

static void
test_messages_are_utf8(void **state)
{
	char word[1200];
	struct err e = ERR_INIT;

	(void)state;
	(void)err_set(&e, E_IO, "a\xff\n\xc3\xbc\xe2\x82 b");
	assert_string_equal(e.msg, "a??\xc3\xbc?? b");
	memset(word, 'w', sizeof(word));
	memcpy(word + 998, "\xc3\xbc", 3); /* its second byte is cut off */
	err_clear(&e);
	(void)err_set(&e, E_IO, "%s", word);
	assert_true(str_is_utf8(e.msg, strlen(e.msg)));
	(void)memcpy(e.msg + 996, "\xc3\xbc", 2);
	(void)err_context(&e, "z");
	assert_true(str_is_utf8(e.msg, strlen(e.msg)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_from_str),
		cmocka_unit_test(test_messages_are_utf8),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
