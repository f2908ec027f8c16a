/* What every unit test includes: cmocka and the headers it needs first. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"

/*
 * TEST(test_what) { ... } defines a test, and TEST_WITH one with a setup and a teardown of its own. tests_run() runs
 * all of a program in the order of their definitions: before main(), each has added itself to the list here.
 */
static struct CMUnitTest tests_defined[64];
static size_t tests_count;

static inline void
test_define(struct CMUnitTest test)
{
	if (tests_count == sizeof(tests_defined) / sizeof(tests_defined[0]))
		abort();
	tests_defined[tests_count++] = test;
}

/* The exit status of the program: how many tests failed. */
static inline int
tests_run(const char *name, CMFixtureFunction setup, CMFixtureFunction teardown)
{
	return _cmocka_run_group_tests(name, tests_defined, tests_count, setup, teardown);
}

/* clang-format off */
#define TEST_WITH(name, setup, teardown)                                                                     \
	static void name(void **state);                                                                      \
	__attribute__((constructor)) static void name##_define(void)                                         \
	{                                                                                                    \
		test_define((struct CMUnitTest){#name, name, setup, teardown, NULL});                        \
	}                                                                                                    \
	static void name(void **state __attribute__((unused)))

#define TEST(name) TEST_WITH(name, NULL, NULL)
/* clang-format on */

/* A text that is refused, and what the error says. */
struct refused {
	const char *text;
	int code;
	const char *words;
};

/* The call failed with this code and its sentence holds these words. */
/* clang-format off */
#define assert_error(e, want_code, words)                                                                    \
	do {                                                                                                 \
		assert_string_equal(err_name((e)->code), err_name(want_code));                               \
		if (!strstr((e)->msg, (words)))                                                              \
			fail_msg("message '%s' does not say '%s'", (e)->msg, (words));                       \
	} while (0)

#define assert_no_error(e)                                                                                   \
	do {                                                                                                 \
		if ((e)->code)                                                                               \
			fail_msg("%s: %s", err_name((e)->code), (e)->msg);                                   \
	} while (0)
/* clang-format on */

/* |a - b| <= eps, for doubles: cmocka's own compares floats. */
/* clang-format off */
#define assert_near(a, b, eps)                                                                               \
	do {                                                                                                 \
		const double near_a_ = (a), near_b_ = (b);                                                   \
		if (!(near_a_ - near_b_ <= (eps) && near_b_ - near_a_ <= (eps)))                             \
			fail_msg("%.17g is not %.17g", near_a_, near_b_);                                    \
	} while (0)
/* clang-format on */

#endif
