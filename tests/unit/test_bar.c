#include "test.h"

#include "client/show/bar.h"
#include "client/show/text.h"

static const char *
line(const struct bar *b, unsigned width)
{
	static char out[512];
	struct buf buf = BUF_INIT;

	bar_format(b, width, &buf);
	(void)snprintf(out, sizeof(out), "%.*s", (int)buf.len, buf.data);
	buf_release(&buf);
	assert_true(text_width(out) <= width);
	return out;
}

static struct board board;

/* A bar without a terminal: the tests read the lines that it formats. */
static void
bar_setup(struct bar *b, FILE **out)
{
	*out = tmpfile();
	assert_non_null(*out);
	board_init(&board, *out);
	bar_init(b, &board, "job 42");
	assert_false(board.live);
	bar_stage(b, "export", 1000);
}

TEST(test_format)
{
	struct bar b;
	FILE *out;

	bar_setup(&b, &out);
	assert_string_equal(line(&b, 80), "export     ");
	bar_progress(&b, 0, 4000000000, "bytes", "lm.03.mlp", 1000);
	assert_non_null(strstr(line(&b, 100), "]    0%  0 B of 4.00 GB  lm.03.mlp"));
	bar_progress(&b, 1000000000, 4000000000, "bytes", "lm.03.mlp", 3000);
	assert_string_equal(
		line(&b, 110),
		"export     [=======>                      ]   25%  1.00 GB of 4.00 GB  500 MB/s  0:06 left  "
		"lm.03.mlp");
	/* In a narrower terminal the bar drops the detail first, then the cells, then the estimate at the end. */
	assert_null(strstr(line(&b, 90), "lm.03.mlp"));
	assert_null(strchr(line(&b, 60), '['));
	assert_non_null(strstr(line(&b, 60), "500 MB/s"));
	assert_string_equal(line(&b, 16), "export      25% ");
	assert_string_equal(line(&b, 0), "");
	(void)fclose(out);
}

TEST(test_units_other_than_bytes)
{
	struct bar b;
	FILE *out;

	bar_setup(&b, &out);
	bar_progress(&b, 10, 0, "nodes", "", 1000);
	bar_progress(&b, 30, 0, "nodes", "", 2000);
	assert_string_equal(line(&b, 80), "export     30 nodes  20/s");
	bar_progress(&b, 31, 40, "cases", "", 10000);
	assert_non_null(strstr(line(&b, 80), " 77%  31 of 40 cases  "));
	(void)fclose(out);
}

/* 145 MB/s in pieces of 64 KiB: two or three pieces arrive in each millisecond. */
TEST(test_rate_of_many_pieces_a_millisecond)
{
	const double speed = 145e6;
	const uint64_t piece = 65536, total = 1000 * piece * 10;
	struct bar b;
	FILE *out;
	uint64_t done;

	bar_setup(&b, &out);
	for (done = 0; done < total / 2; done += piece)
		bar_progress(&b, done, total, "bytes", "", 1000 + (int64_t)((double)done / speed * 1000));
	assert_true(b.rate > 0.97 * speed && b.rate < 1.03 * speed);
	assert_non_null(strstr(line(&b, 110), "0:02 left"));
	(void)fclose(out);
}

TEST(test_rate_survives_odd_progress)
{
	struct bar b;
	FILE *out;

	bar_setup(&b, &out);
	bar_progress(&b, 100, 1000, "bytes", "", 1000);
	bar_progress(&b, 200, 1000, "bytes", "", 1000); /* at the same instant */
	assert_true(b.rate == 0);
	bar_progress(&b, 300, 1000, "bytes", "", 2000);
	assert_true(b.rate == 200);
	bar_progress(&b, 50, 1000, "bytes", "", 3000); /* the transfer started again */
	assert_true(b.rate == 0);
	bar_progress(&b, 5000, 1000, "bytes", "", 4000); /* more than the total */
	assert_non_null(strstr(line(&b, 80), "100%  1.00 kB of 1.00 kB"));
	bar_progress(&b, UINT64_MAX, UINT64_MAX, "bytes", "", 5000);
	(void)line(&b, 80);
	(void)fclose(out);
}

TEST(test_foreign_text_is_harmless)
{
	struct bar b;
	FILE *out;

	bar_setup(&b, &out);
	bar_stage(&b, "\033[2Jx", 1000);
	bar_progress(&b, 1, 2, "by\ntes", "\302\233d\342\200\256", 1000);
	assert_string_equal(b.stage, "\\x1b[2Jx");
	assert_string_equal(b.unit, "by\\x0ates");
	assert_string_equal(b.detail, "\\u009bd\\u202e");
	/* The text is cut between two characters, not within one. */
	bar_stage(&b, "0123456789012345678901234567890\303\244", 1000);
	assert_string_equal(b.stage, "0123456789012345678901234567890");
	bar_stage(&b, "012345678901234567890123456789\303\244", 1000);
	assert_string_equal(b.stage, "012345678901234567890123456789");
	(void)fclose(out);
}

TEST(test_a_line_every_30_s_without_a_terminal)
{
	char text[512] = "";
	int64_t due_ms = 0;
	struct bar b;
	FILE *out;

	bar_setup(&b, &out); /* the stage begins at 1 s */
	board_refresh(&board, 1000, &due_ms);
	assert_int_equal(due_ms, 31000);
	board_refresh(&board, 30999, &due_ms);
	board_refresh(&board, 31000, &due_ms);
	bar_progress(&b, 1000000000, 4000000000, "bytes", "", 32000);
	bar_progress(&b, 2000000000, 4000000000, "bytes", "", 34000);
	board_refresh(&board, 60999, &due_ms);
	due_ms = 0;
	board_refresh(&board, 61000, &due_ms);
	assert_int_equal(due_ms, 91000);
	rewind(out);
	text[fread(text, 1, sizeof(text) - 1, out)] = '\0';
	assert_string_equal(text, "job 42: export\n"
				  "job 42: export  for 30 s\n"
				  "job 42: export  50%  2.00 GB of 4.00 GB  500 MB/s  0:04 left\n");
	bar_release(&b);
	due_ms = 0;
	board_refresh(&board, 200000, &due_ms);
	assert_int_equal(due_ms, 0);
	(void)fclose(out);
}

TEST(test_lines_without_a_terminal)
{
	char got[256];
	struct bar b;
	FILE *out;
	size_t n;

	bar_setup(&b, &out);
	bar_progress(&b, 1, 2, "bytes", "x", 1100);
	bar_note(&b, "words %d", 3);
	bar_stage(&b, "parity", 2000);
	bar_end(&b, 3000);
	rewind(out);
	n = fread(got, 1, sizeof(got) - 1, out);
	got[n] = '\0';
	assert_string_equal(got, "job 42: export\njob 42: words 3\njob 42: parity\n");
	(void)fclose(out);
}

int
main(void)
{
	return tests_run("bar", NULL, NULL);
}
