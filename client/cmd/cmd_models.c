#include <strings.h>

#include "base/str.h"
#include "cli.h"
#include "client/show/fact.h"
#include "known.h"
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

static void
list_add(struct buf *b, const json_t *list)
{
	json_t *word;
	size_t i;

	json_array_foreach(list, i, word)
		buf_printf(b, "%s%s", i ? ", " : "", json_is_string(word) ? json_string_value(word) : "");
}

static const char *
text_of(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

/* "colqwen2       ColQwen2 (colpali-engine; multi-vector): vidore/colqwen2-v1.0, vidore/colqwen2-v0.1" */
static void
class_print(const json_t *model, const json_t *row, const json_t *checkpoints)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;

	buf_printf(&b, "%s (%s; ", text_of(row, "class"), text_of(row, "library"));
	list_add(&b, json_object_get(row, "heads"));
	buf_printf(&b, "%s)", *text_of(row, "experimental") ? "; experimental" : "");
	buf_puts(&b, json_array_size(checkpoints) ? ": " : "");
	list_add(&b, checkpoints);
	fact_print(text_of(model, "architecture"), b.data ? b.data : "");
}

static void
classes_print(const json_t *model)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(model, "classes"), i, row)
		class_print(model, row, json_object_get(row, "checkpoints"));
}

/* Prints the classes of that name, or of the family of that name. */
static void
classes_named_print(const json_t *reply, const char *name)
{
	json_t *model, *row;
	size_t i, k;

	json_array_foreach(json_object_get(reply, "models"), i, model)
		json_array_foreach(json_object_get(model, "classes"), k, row)
			if (strcasecmp(text_of(row, "class"), name) == 0 ||
			    strcasecmp(text_of(model, "architecture"), name) == 0 ||
			    strcasecmp(text_of(model, "name"), name) == 0)
				class_print(model, row, /*checkpoints=*/NULL);
}

/* "dtype          fp32, fp16" */
static void
options_print(const json_t *reply)
{
	const json_t *options = json_object_get(reply, "options");
	const char *field;
	json_t *words, *model;
	size_t i;

	(void)fputs("\nThe classes that are read, their heads, and known repositories of the Hub:\n", stdout);
	json_array_foreach(json_object_get(reply, "models"), i, model) {
		classes_print(model);
		if (json_object_get(model, "lacking"))
			fact_print("", text_of(model, "lacking"));
	}
	(void)fputs("\nA job's fields and their words:\n", stdout);
	json_object_foreach((json_t *)(uintptr_t)options, field, words) {
		_cleanup_(buf_release) struct buf b = BUF_INIT;

		list_add(&b, words);
		fact_print(field, b.len ? b.data : "");
	}
}

/* A line for each class that fits the name, then its repositories. */
static int
one_print(struct cli *c, const json_t *reply, const char *name, struct err *e)
{
	json_t *rows, *row;
	size_t i;
	int r = known_find(reply, name, &rows, e);

	if (r < 0)
		return r;
	if (c->json) {
		cli_print_json(rows, JSON_INDENT(2));
	} else if (c->names) {
		json_array_foreach(rows, i, row)
			(void)puts(text_of(row, "name"));
	} else {
		if (json_array_size(rows) != 1)
			classes_named_print(reply, name);
		known_print(rows);
	}
	json_decref(rows);
	return 0;
}

int
cmd_models(struct cli *c, int argc, char **argv, struct err *e)
{
	struct listing l = {.member = "models", .columns = columns, .columns_len = ARRAY_LEN(columns)};
	const struct option_row rows[] = {TABLE_OPTIONS(c)};
	json_t *reply;
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	r = cli_request(c, "GET", "/v1/models", NULL, &reply, e);
	if (r < 0)
		return r;
	r = argc ? one_print(c, reply, argv[0], e) : listing_reply(c, &l, reply, options_print, e);
	json_decref(reply);
	return r;
}
