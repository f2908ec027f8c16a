#include "test.h"

#include "http/core/listen.h"

TEST(test_addresses)
{
	static const struct {
		const char *address;
		bool public;
	} addresses[] = {
		{"127.0.0.1:8470", false},         {"127.9.9.9:0", false}, {"[::1]:8470", false},
		{"unix:/run/colconv.sock", false}, {"0.0.0.0:8470", true}, {"192.168.1.2:8470", true},
		{"126.255.255.255:1", true},       {"[::]:8470", true},    {"[::ffff:127.0.0.1]:8470", true},
		{"[2001:db8::1]:8470", true},
	};
	static const struct refused bad[] = {
		{"", E_USAGE, "is not an address"},
		{":8470", E_USAGE, "is not an address"},
		{"*:8470", E_USAGE, "is not an address"},
		{"127.1:8470", E_USAGE, "is not an address"},
		{"127.0.0.1", E_USAGE, "'127.0.0.1' is not an address"},
		{"localhost:8470", E_USAGE, "'localhost:8470' is not an address"},
		{"::1:8470", E_USAGE, "is not an address"},
		{"[::1:8470", E_USAGE, "is not an address"},
		{"127.0.0.1:", E_USAGE, "port must be a whole number"},
		{"127.0.0.1:65536", E_USAGE, "port must be from 0 to 65535"},
		{"unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
		 "0123456789012345678901234567890123456789",
		 E_USAGE, "longer than 107 bytes"},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(addresses); i++) {
		bool public = !addresses[i].public;

		assert_int_equal(listener_check(addresses[i].address, &public, NULL), 0);
		assert_int_equal(public, addresses[i].public);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = ERR_INIT;
		bool public;

		assert_int_equal(listener_check(bad[i].text, &public, &e), bad[i].code);
		assert_error(&e, bad[i].code, bad[i].words);
	}
}

int
main(void)
{
	return tests_run("listen", NULL, NULL);
}
