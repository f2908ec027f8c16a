#include "test.h"

#include "client/show/table.h"

static const struct table_column columns[] = {
	{"ID", TABLE_RIGHT},
	{"STATE", TABLE_LEFT},
	{"MODEL", TABLE_CUT},
};

static const char *
printed(const struct table *t, unsigned width)
{
	static char got[1024];
	struct err e = ERR_INIT;
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	assert_int_equal(table_print(t, f, width, &e), 0);
	rewind(f);
	n = fread(got, 1, sizeof(got) - 1, f);
	got[n] = '\0';
	(void)fclose(f);
	return got;
}

TEST(test_widths)
{
	struct table t;

	table_init(&t, columns, ARRAY_LEN(columns));
	assert_string_equal(printed(&t, 80), "ID  STATE  MODEL\n");
	table_add(&t, "%d", 7);
	table_add(&t, "done");
	table_add(&t, "/srv/models/colqwen2-v1.0");
	table_add(&t, "%d", 1234);
	table_add(&t, "cancelled");
	table_add(&t, "/m");
	assert_string_equal(printed(&t, 0), "  ID  STATE      MODEL\n"
					    "   7  done       /srv/models/colqwen2-v1.0\n"
					    "1234  cancelled  /m\n");
	assert_string_equal(printed(&t, 34), "  ID  STATE      MODEL\n"
					     "   7  done       .../colqwen2-v1.0\n"
					     "1234  cancelled  /m\n");
	/* The terminal is too narrow for the column that may be cut; the other columns are never cut. */
	assert_string_equal(printed(&t, 5), "  ID  STATE      MODEL\n"
					    "   7  done       ...-v1.0\n"
					    "1234  cancelled  /m\n");
	table_release(&t);
}

TEST(test_foreign_text)
{
	static const struct table_column one[] = {{"X", TABLE_CUT}, {"Y", TABLE_LEFT}};
	struct table t;

	table_init(&t, one, ARRAY_LEN(one));
	table_add(&t, "a\033[31mb\nc");
	table_add(&t, "1");
	table_add(&t, "\303\244\303\266\303\274"); /* three columns, six bytes */
	table_add(&t, "2");
	table_add(&t, "\377");
	table_add(&t, "3");
	assert_string_equal(printed(&t, 0), "X                Y\n"
					    "a\\x1b[31mb\\x0ac  1\n"
					    "\303\244\303\266\303\274              2\n"
					    "\\xff             3\n");
	table_release(&t);
}

int
main(void)
{
	return tests_run("table", NULL, NULL);
}
