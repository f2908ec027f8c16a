#include "test.h"

#include "http/listen.h"

static void
test_addresses(void **state)
{
	static const struct {
		const char *address;
		int code;
		const char *words;
	} cases[] = {
		{"127.0.0.1:8470", 0, ""},
		{"127.9.9.9:0", 0, ""},
		{"[::1]:8470", 0, ""},
		{"unix:/run/colconv.sock", 0, ""},
		{"0.0.0.0:8470", E_NOT_ALLOWED, "'0.0.0.0:8470' is reached from other hosts"},
		{"192.168.1.2:8470", E_NOT_ALLOWED, "is reached from other hosts"},
		{"[::]:8470", E_NOT_ALLOWED, "is reached from other hosts"},
		{"[2001:db8::1]:8470", E_NOT_ALLOWED, "is reached from other hosts"},
		{"127.0.0.1", E_USAGE, "'127.0.0.1' is no address"},
		{"localhost:8470", E_USAGE, "'localhost:8470' is no address"},
		{"::1:8470", E_USAGE, "is no address"},
		{"[::1:8470", E_USAGE, "is no address"},
		{"127.0.0.1:", E_USAGE, "port must be a whole number"},
		{"127.0.0.1:65536", E_USAGE, "port must be from 0 to 65535"},
		{"unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789",
		 E_USAGE, "longer than 107 bytes"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(listener_check(cases[i].address, &e), cases[i].code);
		if (cases[i].code)
			assert_error(&e, cases[i].code, cases[i].words);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
