/*
 * tokens TOKENIZER.JSON < STRINGS > IDS: both are JSON arrays, one list of ids for each string.
 *
 * For the tests, which hold the ids against those of another library.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "tokenizer/tokenizer.h"

static int
run(const struct tokenizer *t, const json_t *strings, json_t *out, struct err *e)
{
	const json_t *s;
	size_t i, k;
	int r = 0;

	json_array_foreach((json_t *)(uintptr_t)strings, i, s) {
		_cleanup_(ids_release) struct ids ids = IDS_INIT;
		json_t *list = json_array();

		r = tokenizer_encode(t, json_string_value(s), json_string_length(s), true, &ids, e);
		for (k = 0; k < ids.n; k++)
			(void)json_array_append_new(list, json_integer((json_int_t)ids.id[k]));
		(void)json_array_append_new(out, list);
		if (r < 0)
			return err_context(e, "string %zu", i);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	_cleanup_(tokenizer_free) struct tokenizer *t = NULL;
	json_t *strings = NULL, *out = json_array();
	struct err e = ERR_INIT;
	int r = argc == 2 ? 0 : err_set(&e, E_USAGE, "usage: tokens TOKENIZER.JSON < STRINGS > IDS");

	if (r == 0)
		r = tokenizer_open(argv[1], &t, &e);
	if (r == 0 && !(strings = json_loadf(stdin, JSON_ALLOW_NUL, NULL)))
		r = err_set(&e, E_USAGE, "standard input is not JSON");
	if (r == 0)
		r = run(t, strings, out, &e);
	if (r == 0)
		(void)json_dumpf(out, stdout, JSON_COMPACT);
	else
		(void)fprintf(stderr, "tokens: %s\n", e.msg);
	json_decref(strings);
	json_decref(out);
	return err_exit_status(r);
}
