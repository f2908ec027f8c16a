#include "test.h"

#include "base/buf.h"
#include "runner/lines.h"

static struct lines l;
static struct buf got;

static int
setup(void **state)
{
	(void)state;
	memset(&l, 0, sizeof(l));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_release(&got);
	return 0;
}

static void
take(void *arg, const char *line)
{
	(void)arg;
	buf_printf(&got, "%s|", line);
}

static void
add(const char *text, int64_t now_ms)
{
	lines_add(&l, text, strlen(text), now_ms, take, NULL);
}

TEST_WITH(test_lines_from_pieces, setup, teardown)
{
	add("one\n\ntw", 0);
	add("o\nthree", 0);
	assert_string_equal(got.data, "one|two|");
	lines_end(&l, 0, take, NULL);
	assert_string_equal(got.data, "one|two|three|");
}

TEST_WITH(test_unclean_bytes, setup, teardown)
{
	add("\033[31mred\n\xc3\xa9t\xc3\xa9\n\xff\xc3\n", 0);
	assert_string_equal(got.data, "?[31mred|\xc3\xa9t\xc3\xa9|\?\?|");
}

TEST_WITH(test_long_line_is_cut, setup, teardown)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	lines_add(&l, text, sizeof(text), 0, take, NULL);
	add("\nnext\n", 0);
	assert_int_equal(got.len, LINES_LEN_MAX + 1 + strlen("next|"));
}

TEST_WITH(test_flood_is_dropped, setup, teardown)
{
	unsigned i;

	for (i = 0; i < LINES_PER_SECOND + 7; i++)
		add("x\n", 5000);
	assert_int_equal(got.len, LINES_PER_SECOND * 2);
	buf_clear(&got);
	add("later\n", 6000);
	assert_string_equal(got.data, "(7 lines dropped)|later|");
}

int
main(void)
{
	return tests_run("lines", NULL, NULL);
}
