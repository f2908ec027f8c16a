#include "test.h"

#include <fcntl.h>
#include <math.h>
#include <sys/wait.h>

#include "base/elem.h"
#include "base/proc.h"
#include "base/json.h"
#include "base/str.h"

TEST(test_numbers_are_decimal)
{
	static const char *const bad[] = {"",    " 1",  "1 ", "+1",  "-1",  "0x10", "1x",    "0x1p3",
					  "inf", "nan", "1e", "1e+", "--1", "1,5",  "1e999", "1 e3"};
	struct err e = ERR_INIT;
	uint64_t n;
	double v;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(str_to_double(bad[i], 0, INFINITY, "x", &v, NULL), E_USAGE);
		assert_int_equal(str_to_u64(bad[i], 0, UINT64_MAX, "x", &n, NULL), E_USAGE);
		assert_int_equal(str_to_bytes(bad[i], "x", &n, NULL), E_USAGE);
	}
	assert_int_equal(str_to_double("0.5", 0, 9, "x", &v, NULL), 0);
	assert_true(v == 0.5);
	assert_int_equal(str_to_double("2e-3", 0, 9, "x", &v, NULL), 0);
	assert_true(v == 2e-3);
	assert_int_equal(str_to_double(".5", 0, 9, "x", &v, NULL), 0);
	assert_true(v == 0.5);
	assert_int_equal(str_to_double("7.", 0, 9, "x", &v, NULL), 0);
	assert_true(v == 7);
	assert_int_equal(str_to_double("-0.5", -1, 1, "x", &v, NULL), 0);
	assert_true(v == -0.5);
	assert_int_equal(str_to_double("1.5", -1, 1, "x", &v, &e), E_USAGE);
	assert_string_equal(e.msg, "x must be from -1 to 1, not '1.5'");
	err_clear(&e);
	assert_int_equal(str_to_double("-1", 0, INFINITY, "x", &v, &e), E_USAGE);
	assert_string_equal(e.msg, "x must be at least 0, not '-1'");
	assert_int_equal(str_to_bytes("010", "x", &n, NULL), 0);
	assert_int_equal(n, 10);
}

TEST(test_bytes_from_str)
{
	struct err e = ERR_INIT;
	uint64_t n = 0;

	assert_int_equal(str_to_bytes("2GB", "size", &n, &e), 0);
	assert_true(n == 2000000000);
	assert_int_equal(str_to_bytes("1.5KiB", "size", &n, &e), 0);
	assert_true(n == 1536);
	assert_int_equal(str_to_bytes("2GBB", "size", &n, &e), E_USAGE);
	assert_error(&e, E_USAGE, "size must be a size such as 500MB");
}

TEST(test_messages_are_utf8)
{
	char word[1200];
	struct err e = ERR_INIT;

	(void)err_set(&e, E_IO, "a\xff\n\xc3\xbc\xe2\x82 b");
	assert_string_equal(e.msg, "a??\xc3\xbc?? b");
	memset(word, 'w', sizeof(word));
	memcpy(word + 998, "\xc3\xbc", 3); /* the second byte of the character is missing */
	err_clear(&e);
	(void)err_set(&e, E_IO, "%s", word);
	assert_true(str_is_utf8(e.msg, strlen(e.msg)));
	(void)memcpy(e.msg + 996, "\xc3\xbc", 2);
	(void)err_context(&e, "z");
	assert_true(str_is_utf8(e.msg, strlen(e.msg)));
}

TEST(test_children_get_three_descriptors)
{
	char script[] = "! test -e /proc/self/fd/$0", number[12];
	char *const argv[] = {"sh", "-c", script, number, NULL};
	const struct proc_spec spec = {.argv = argv, .fd_in = -1, .fd_out = -1, .fd_err = -1};
	struct proc p = PROC_INIT;
	struct err e = ERR_INIT;
	int fd = open("/dev/null", O_RDONLY), status;

	assert_true(fd > 2);
	(void)snprintf(number, sizeof(number), "%d", fd);
	assert_int_equal(proc_spawn(&spec, &p, &e), 0);
	assert_int_equal(proc_wait(&p, &status, /*ret_usage=*/NULL, &e), 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	(void)close(fd);
}

static void
assert_real(double v, const char *want)
{
	struct buf b = BUF_INIT;

	json_print_real(&b, v);
	assert_string_equal(b.data, want);
	assert_true(strtod(b.data, NULL) == v);
	buf_release(&b);
}

/* The first and last character of each hidden range, and the visible characters next to the range. */
TEST(test_times)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{1, "1970-01-01T00:00:00.001Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{-938, "1969-12-31T23:59:59.062Z"},
		{-1000, "1969-12-31T23:59:59.000Z"},
		{-86400001, "1969-12-30T23:59:59.999Z"},
		{1795949501234, "2026-11-29T10:51:41.234Z"},
	};
	char text[32];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(str_time(rows[i].ms, text, sizeof(text)), rows[i].text);
}

TEST(test_visible_text)
{
	static const struct {
		const char *text, *clean; /* `clean` is NULL if the whole text is visible */
	} cases[] = {
		{"plain ~ \"text\"", NULL},
		{"\u00a0\u00e9\u4e2d\U0001f600\u00ad\u200b\u200d\ufeff", NULL},
		{"\u061b\u061d\u200d\u2010\u2027\u202f\u2065\u2070\ufff8\ufffc", NULL},
		{"a\x01z", "a?z"},
		{"a\x1fz", "a?z"},
		{"a\tz", "a?z"},
		{"a\nz", "a?z"},
		{"a\x7fz", "a?z"},
		{"a\xc2\x80z", "a??z"}, /* U+0080 */
		{"a\xc2\x9b"
		 "31mz",
		 "a??31mz"}, /* CSI as a C1 control: some terminals turn red */
		{"a\xc2\x9fz", "a??z"},
		{"a\u061cz", "a??z"},
		{"a\u200ez", "a???z"},
		{"a\u200fz", "a???z"},
		{"a\u2028z", "a???z"},
		{"a\u2029z", "a???z"},
		{"a\u202az", "a???z"},
		{"a\u202ez", "a???z"},
		{"a\u2066z", "a???z"},
		{"a\u2069z", "a???z"},
		{"a\u206fz", "a???z"},
		{"a\ufff9z", "a???z"},
		{"a\ufffbz", "a???z"},
		{"a\xff"
		 "b\xc3",
		 "a?b?"}, /* not UTF-8 */
		{"a\xed\xa0\x80z", "a???z"},
	};
	char text[64];
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		assert_int_equal(str_is_visible(text, strlen(text)), !cases[i].clean);
		str_clean(text);
		assert_string_equal(text, cases[i].clean ? cases[i].clean : cases[i].text);
		assert_true(str_is_visible(text, strlen(text)));
	}
	assert_false(str_is_visible("a\0b", 3));
	(void)snprintf(text, sizeof(text), "a\n\x1b[0mb\r\n");
	str_clean_lines(text);
	assert_string_equal(text, "a\n?[0mb?\n");
}

TEST(test_json_is_printed)
{
	struct buf b = BUF_INIT;

	json_print_str(&b, "\x01\n\"\\/\x7f\u00fc");
	assert_string_equal(b.data, "\"\\u0001\\u000a\\\"\\\\/\x7f\u00fc\"");
	buf_clear(&b);
	json_print_str(&b, NULL);
	json_print_str(&b, "");
	assert_string_equal(b.data, "null\"\"");
	buf_release(&b);
	assert_real(0, "0.0");
	assert_real(-1, "-1.0");
	assert_real(0.99999, "0.99999");
	assert_real(0.1 + 0.2, "0.30000000000000004");
	assert_real(1e300, "1e+300");
}

/* A text that fits exactly, a text that does not fit, and a text after the failure. */
TEST(test_buf_grows)
{
	char text[400];
	size_t len;

	for (len = 1; len < sizeof(text); len++) {
		struct buf b = BUF_INIT;

		memset(text, 'x', len);
		text[len] = '\0';
		buf_printf(&b, "%s", text);
		buf_printf(&b, "%d", 7);
		assert_int_equal(b.len, len + 1);
		assert_true(b.data[len] == '7' && b.data[len - 1] == 'x');
		buf_release(&b);
	}
}

/* Each name and each number finds its own row, so no two rows have the same one. */
TEST(test_elements)
{
	int i;

	for (i = 0; i < ELEM_MAX; i++) {
		const enum elem t = (enum elem)i;

		assert_int_equal(elem_from_name(elem_name(t)), t);
		assert_true(elem_size(t) > 0);
		if (elem_onnx(t))
			assert_int_equal(elem_from_onnx(elem_onnx(t)), t);
	}
	assert_string_equal(elem_name(ELEM_BF16), "BF16");
	assert_string_equal(elem_word(ELEM_BOOL), "bool");
	assert_int_equal(elem_size(ELEM_I64), 8);
	assert_int_equal(elem_onnx(ELEM_F16), 10);
	assert_true(elem_is_weight(ELEM_F64));
	assert_false(elem_is_weight(ELEM_F8_E4M3));
	assert_int_equal(elem_from_name("f32"), ELEM_MAX);
	assert_int_equal(elem_from_onnx(0), ELEM_MAX); /* these rows have no ONNX number */
	assert_int_equal(elem_from_onnx(8), ELEM_MAX); /* strings */
}

int
main(void)
{
	return tests_run("base", NULL, NULL);
}
