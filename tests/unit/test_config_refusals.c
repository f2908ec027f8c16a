/*
 * Configs that must be refused. Each file of tests/unit/refusals has a config.json that is read, and changes to it:
 *
 *	["text_config.head_dim", 15, "bad_checkpoint", "head_dim must be even"]        the value there becomes 15
 *	["text_config.vocab_size", "bad_checkpoint", "vocab_size is missing"]          the key is removed
 *
 * After each change the family that reads the unchanged config gives this error, and its sentence holds these words. A
 * family needs a file here, and no code.
 */
#include "config_edit.h"

#include <glob.h>

#include "base/str.h"
#include "model/model.h"

#define FILES "tests/unit/refusals/*.json"

static const char *
word(const json_t *row, size_t i)
{
	const char *s = json_string_value(json_array_get(row, i));

	assert_non_null(s);
	return s;
}

/* Returns the error's code. */
static int
read_config(const struct model_found *f, const json_t *config, struct err *e)
{
	_cleanup_free_ void *c = calloc(1, f->model->config_size);

	assert_non_null(c);
	return f->model->config_read(config, NULL, f, c, e);
}

static void
row_check(const char *file, const struct model_found *f, const json_t *config, const json_t *row)
{
	const size_t n = json_array_size(row);
	json_auto_t *j = json_deep_copy(config);
	struct err e = ERR_INIT;

	assert_true(n == 3 || n == 4);
	edit_json(j, word(row, 0), n == 4 ? json_array_get(row, 1) : NULL);
	if (read_config(f, j, &e) == 0)
		fail_msg("%s: %s: the change is accepted", file, word(row, 0));
	if (!str_eq(err_name(e.code), word(row, n - 2)) || !strstr(e.msg, word(row, n - 1)))
		fail_msg("%s: %s: %s: %s", file, word(row, 0), err_name(e.code), e.msg);
}

static void
file_check(const char *file)
{
	struct err e = ERR_INIT;
	json_auto_t *j = NULL;
	const json_t *config;
	struct model_found f;
	json_t *row;
	size_t i;

	(void)json_read(file, 1u << 20, E_BAD_CHECKPOINT, &j, &e);
	assert_no_error(&e);
	config = json_object_get(j, "config");
	assert_true(json_array_size(json_object_get(j, "refusals")) > 0);
	(void)model_find(config, HEAD_AUTO, &f, &e);
	assert_no_error(&e);
	(void)read_config(&f, config, &e);
	assert_no_error(&e);
	json_array_foreach(json_object_get(j, "refusals"), i, row)
		row_check(file, &f, config, row);
}

TEST(test_refusals)
{
	glob_t g;
	size_t i;

	assert_int_equal(glob(FILES, 0, NULL, &g), 0);
	for (i = 0; i < g.gl_pathc; i++)
		file_check(g.gl_pathv[i]);
	globfree(&g);
}

int
main(void)
{
	return tests_run("config_refusals", NULL, NULL);
}
