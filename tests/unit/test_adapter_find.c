#include "test.h"

#include "checkpoint/adapter_find.h"
#include "tmpdir.h"

/* Makes files below the test's folder, with the folders that they need. The list of names ends with NULL. */
static void
files_make(void **state, const char *const *names)
{
	_cleanup_free_ char *all = fs_join(*state, "m");
	struct err e = ERR_INIT;

	(void)fs_remove(all, &e);
	for (; *names; names++) {
		_cleanup_free_ char *path = fs_join(*state, *names);
		_cleanup_free_ char *dir = strndup(path, strlen(path) - strlen(fs_basename(path)) - 1);

		(void)fs_mkdir_p(dir, 0700, &e);
		tmpdir_write(dir, fs_basename(path), "{}", 2);
	}
	assert_no_error(&e);
}

/* `base` in the adapter's config. */
static void
adapter_make(void **state, const char *dir, const char *base)
{
	_cleanup_free_ char *path = fs_join(*state, dir);
	_cleanup_free_ char *text =
		str_printf("{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"%s\"}", base);
	struct err e = ERR_INIT;

	(void)fs_mkdir_p(path, 0700, &e);
	assert_no_error(&e);
	tmpdir_write(path, "adapter_config.json", text, strlen(text));
}

/* Paths below the test's folder; NULL: none is found. */
static void
assert_found(void **state, const char *dir, const char *base, enum adapter_use use, const char *want_dir,
	     const char *want_model)
{
	_cleanup_(adapter_place_release) struct adapter_place p = ADAPTER_PLACE_INIT;
	_cleanup_free_ char *path = fs_join(*state, dir);
	struct err e = ERR_INIT;

	(void)adapter_find((struct folder_roots){.n = 0}, path, base, use, NULL, &p, &e);
	assert_no_error(&e);
	assert_int_equal(p.dir != NULL, want_dir != NULL);
	if (want_dir)
		assert_string_equal(fs_below(*state, p.dir), want_dir);
	assert_int_equal(p.model != NULL, want_model != NULL);
	if (want_model)
		assert_string_equal(want_model[0] == '/' ? p.model : fs_below(*state, p.model), want_model);
}

static void
assert_refused(void **state, const char *dir, const char *base, enum adapter_use use, const char *words)
{
	_cleanup_(adapter_place_release) struct adapter_place p = ADAPTER_PLACE_INIT;
	_cleanup_free_ char *path = fs_join(*state, dir);
	struct err e = ERR_INIT;

	assert_int_equal(adapter_find((struct folder_roots){.n = 0}, path, base, use, NULL, &p, &e),
			 E_BAD_REQUEST);
	assert_error(&e, E_BAD_REQUEST, words);
}

static const char *const weight_names[] = {"m/a/model.safetensors", "m/a/model.safetensors.index.json"};

/* Each row of the table in adapter_find.h. */
TEST(test_model)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(weight_names); i++) {
		files_make(state, (const char *const[]){"m/a/config.json", weight_names[i], NULL});
		assert_found(state, "m/a", NULL, ADAPTER_DEFAULT, NULL, "m/a");
		assert_found(state, "m/a", NULL, ADAPTER_IGNORE, NULL, "m/a");
		assert_refused(state, "m/a", NULL, ADAPTER_MERGE, "does not hold an adapter");
		assert_refused(state, "m/a", "/b", ADAPTER_DEFAULT, "a base was given, but '");
	}
}

TEST(test_adapter)
{
	files_make(state, (const char *const[]){"m/b/config.json", NULL});
	adapter_make(state, "m/a", "b");
	assert_found(state, "m/a", NULL, ADAPTER_DEFAULT, "m/a", "m/b");
	assert_found(state, "m/a", NULL, ADAPTER_MERGE, "m/a", "m/b");
	assert_found(state, "m/a", "/elsewhere", ADAPTER_DEFAULT, "m/a", "/elsewhere");
	assert_refused(state, "m/a", NULL, ADAPTER_IGNORE, "holds an adapter and nothing else");
}

TEST(test_both)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(weight_names); i++) {
		files_make(state, (const char *const[]){"m/a/config.json", weight_names[i], NULL});
		adapter_make(state, "m/a", "b");
		assert_refused(state, "m/a", NULL, ADAPTER_DEFAULT, "holds a model and an adapter");
		assert_refused(state, "m/a", NULL, ADAPTER_DEFAULT, "--adapter ignore");
		assert_found(state, "m/a", NULL, ADAPTER_MERGE, "m/a", "m/a");
		assert_found(state, "m/a", NULL, ADAPTER_IGNORE, NULL, "m/a");
		assert_found(state, "m/a", "/elsewhere", ADAPTER_DEFAULT, "m/a", "/elsewhere");
		assert_found(state, "m/a", "/elsewhere", ADAPTER_MERGE, "m/a", "/elsewhere");
		assert_refused(state, "m/a", "/elsewhere", ADAPTER_IGNORE, "leaves the adapter out");
	}
}

TEST(test_subfolder)
{
	files_make(state, (const char *const[]){"m/a/README.md", "m/a/empty/x", "m/b/config.json", NULL});
	adapter_make(state, "m/a/last", "owner/b");
	assert_found(state, "m/a", NULL, ADAPTER_DEFAULT, "m/a/last", "m/b");
	assert_found(state, "m/a", NULL, ADAPTER_MERGE, "m/a/last", "m/b");
	assert_refused(state, "m/a", NULL, ADAPTER_IGNORE, "nothing else");
	adapter_make(state, "m/a/first", "owner/b");
	assert_refused(state, "m/a", NULL, ADAPTER_DEFAULT, "several subfolders, 'first' and 'last'");
	/* A folder with a model is a model, whatever its subfolders hold. */
	files_make(state, (const char *const[]){"m/a/config.json", NULL});
	adapter_make(state, "m/a/last", "owner/b");
	assert_found(state, "m/a", NULL, ADAPTER_DEFAULT, NULL, "m/a");
}

/* The name of the base in adapter_config.json, and the folder in which it is found. */
TEST(test_base)
{
	static const struct {
		const char *name, *file, *want;
	} cases[] = {
		{"b", "m/x/a/b/config.json", "m/x/a/b"},
		{"b", "m/x/b/config.json", "m/x/b"},
		{"b", "m/b/config.json", "m/b"},
		{"b", "m/x/b/README.md", NULL},
		{"../b", "m/x/b/config.json", "m/x/a/../b"},
		{"owner/b", "m/x/owner/b/config.json", "m/x/owner/b"},
		{"owner/b", "m/x/b/config.json", "m/x/b"},
		{"./models/b", "m/x/b/config.json", "m/x/b"},
		{"owner/b", "m/x/a/b/config.json", NULL},
		{"owner/b", "m/x/c/config.json", NULL},
		{"owner/", "m/x/config.json", NULL},
		{"", "m/x/config.json", NULL},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		files_make(state, (const char *const[]){cases[i].file, NULL});
		adapter_make(state, "m/x/a", cases[i].name);
		assert_found(state, "m/x/a", NULL, ADAPTER_DEFAULT, "m/x/a", cases[i].want);
	}
	files_make(state, (const char *const[]){"m/x/b/config.json", NULL});
	adapter_make(state, "m/x/a", "owner/b");
	assert_found(state, "m/x/a//", NULL, ADAPTER_DEFAULT, "m/x/a", "m/x/b");
}

int
main(void)
{
	return tests_run("adapter_find", tmpdir_setup, tmpdir_teardown);
}
