#include "test.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/proc.h"
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

static void
test_children_get_three_descriptors(void **state)
{
	char script[] = "! test -e /proc/self/fd/$0", number[12];
	char *const argv[] = {"sh", "-c", script, number, NULL};
	const struct proc_spec spec = {.argv = argv, .fd_in = -1, .fd_out = -1, .fd_err = -1};
	struct proc p = PROC_INIT;
	struct err e = ERR_INIT;
	int fd = open("/dev/null", O_RDONLY), status;

	(void)state;
	assert_true(fd > 2);
	(void)snprintf(number, sizeof(number), "%d", fd);
	assert_int_equal(proc_spawn(&spec, &p, &e), 0);
	assert_int_equal(proc_wait(&p, &status, /*ret_usage=*/NULL, &e), 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_from_str),
		cmocka_unit_test(test_messages_are_utf8),
		cmocka_unit_test(test_children_get_three_descriptors),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
