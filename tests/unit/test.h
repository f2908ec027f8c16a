/* What every unit test includes: cmocka and the headers it needs first. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

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
