#include "base/str.h"
#include "cli.h"
#include "client/show/fact.h"
#include "listing.h"

static void
architecture_add(struct table *t, const json_t *row)
{
	cell_str(t, row, "architecture");
}

static void
name_add(struct table *t, const json_t *row)
{
	cell_str(t, row, "name");
}

static void
variants_add(struct table *t, const json_t *row)
{
	cell_words(t, json_object_get(row, "variants"), ",");
}

static const struct column columns[] = {
	{"ARCHITECTURE", TABLE_LEFT, false, architecture_add},
	{"NAME", TABLE_LEFT, false, name_add},
	{"GRAPHS", TABLE_LEFT, false, variants_add},
};

/* "dtype          fp32, fp16" */
static void
options_print(const json_t *reply)
{
	const json_t *options = json_object_get(reply, "options");
	const char *field;
	json_t *words, *word;
	size_t i;

	(void)fputs("\nA job's fields and their words:\n", stdout);
	json_object_foreach((json_t *)(uintptr_t)options, field, words) {
		_cleanup_(buf_release) struct buf b = BUF_INIT;

		json_array_foreach(words, i, word) {
			buf_puts(&b, i ? ", " : "");
			buf_puts(&b, json_is_string(word) ? json_string_value(word) : "");
		}
		fact_print(field, b.len ? b.data : "");
	}
}

int
cmd_models(struct cli *c, int argc, char **argv, struct err *e)
{
	struct listing l = {.member = "models", .columns = columns, .columns_len = ARRAY_LEN(columns)};

	return listing_command(c, &l, argc, argv, "/v1/models", options_print, e);
}
