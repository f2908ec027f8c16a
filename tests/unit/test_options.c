#include "test.h"

#include "base/buf.h"
#include "client/cmd/job_options.h"

#define ARGS_MAX 8

struct got {
	bool flag;
	const char *str;
	uint64_t number;
};

static int
parse(struct got *g, enum option_order order, int *argc, char **argv, const char *const *args, struct err *e)
{
	const struct option_row rows[] = {
		{"flag", 'f', NULL, option_flag, &g->flag, NULL, ""},
		{"str", 's', "S", option_str, &g->str, NULL, ""},
		{"number", 0, "N", option_number, &g->number, NULL, ""},
		OPTION_END,
	};

	for (*argc = 0; args[*argc]; (*argc)++)
		argv[*argc] = (char *)(uintptr_t)args[*argc];
	return option_parse(rows, order, argc, argv, e);
}

static const struct {
	const char *args[ARGS_MAX];
	enum option_order order;
	bool flag;
	const char *str;
	uint64_t number;
	const char *rest; /* joined by spaces */
} good[] = {
	{{NULL}, OPTION_MIXED, false, NULL, 0, ""},
	{{"a", "--flag", "b"}, OPTION_MIXED, true, NULL, 0, "a b"},
	{{"a", "--flag", "b"}, OPTION_LEADING, false, NULL, 0, "a --flag b"},
	{{"-f", "a", "-f"}, OPTION_LEADING, true, NULL, 0, "a -f"},
	{{"--str", "x"}, OPTION_MIXED, false, "x", 0, ""},
	{{"--str=x=y"}, OPTION_MIXED, false, "x=y", 0, ""},
	{{"--str="}, OPTION_MIXED, false, "", 0, ""},
	{{"--str", "--flag"}, OPTION_MIXED, false, "--flag", 0, ""},
	{{"-s", "x", "-sy"}, OPTION_MIXED, false, "y", 0, ""},
	{{"--number", "42"}, OPTION_MIXED, false, NULL, 42, ""},
	{{"--", "--flag", "-x"}, OPTION_MIXED, false, NULL, 0, "--flag -x"},
	{{"a", "-", "--", "b"}, OPTION_MIXED, false, NULL, 0, "a - b"},
};

TEST(test_good)
{
	size_t i;
	int k;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		struct got g = {.flag = false};
		struct err e = ERR_INIT;
		struct buf rest = BUF_INIT;
		char *argv[ARGS_MAX];
		int argc;

		assert_int_equal(parse(&g, good[i].order, &argc, argv, good[i].args, &e), 0);
		for (k = 0; k < argc; k++)
			buf_printf(&rest, "%s%s", k ? " " : "", argv[k]);
		assert_string_equal(rest.len ? rest.data : "", good[i].rest);
		assert_int_equal(g.flag, good[i].flag);
		assert_true(g.number == good[i].number);
		if (good[i].str)
			assert_string_equal(g.str, good[i].str);
		else
			assert_null(g.str);
		buf_release(&rest);
	}
}

static const struct {
	const char *args[ARGS_MAX];
	const char *words;
} bad[] = {
	{{"--nope"}, "unknown option '--nope'"},
	{{"--fla"}, "unknown option '--fla'"},
	{{"--flagg"}, "unknown option '--flagg'"},
	{{"-x"}, "unknown option '-x'"},
	{{"--flag=1"}, "--flag takes no value"},
	{{"-fx"}, "--flag takes no value"},
	{{"--str"}, "--str needs a value, S"},
	{{"-s"}, "--str needs a value, S"},
	{{"--number", "x"}, "--number must be a whole number, not 'x'"},
	{{"--number", "-1"}, "--number must be a whole number"},
	{{"--number", "9223372036854775808"}, "--number must be from 0"},
};

TEST(test_bad)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct got g = {.flag = false};
		struct err e = ERR_INIT;
		char *argv[ARGS_MAX];
		int argc;

		assert_int_equal(parse(&g, OPTION_MIXED, &argc, argv, bad[i].args, &e), E_USAGE);
		assert_error(&e, E_USAGE, bad[i].words);
	}
}

/* The job that `submit` and `convert` make from their options. */
static int
job_parse(const char *const *args, json_t *spec, struct err *e)
{
	const struct option_row rows[] = {
#define FIELD(use, kind, sym, ...) JOB_OPTION_##use(SPEC_FIELD_##sym, spec)
#include "spec/fields.def"
		OPTION_END,
	};
	char *argv[ARGS_MAX];
	int argc;

	for (argc = 0; args[argc]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc];
	return option_parse(rows, OPTION_MIXED, &argc, argv, e);
}

static const struct {
	const char *args[ARGS_MAX];
	const char *json; /* NULL: the options are refused with these words */
	const char *words;
} jobs[] = {
	{{NULL}, "{}", NULL},
	{{"--variants", "text,image"}, "{\"variants\": [\"text\", \"image\"]}", NULL},
	{{"--variants", ""}, "{\"variants\": [\"\"]}", NULL},
	{{"--dtype", "fp32", "--layout", "single", "--positions", "arange"},
	 "{\"dtype\": \"fp32\", \"layout\": \"single\", \"positions\": \"arange\"}",
	 NULL},
	{{"--reference", "a", "--reference", "b"}, "{\"reference\": [\"a\", \"b\"]}", NULL},
	{{"--max-abs", "0.5", "--seed", "7"}, "{\"parity\": {\"max_abs\": 0.5, \"seed\": 7}}", NULL},
	{{"--min-cosine", "-0.5"}, "{\"parity\": {\"min_cosine\": -0.5}}", NULL},
	{{"--shard-size", "2GB", "--job-timeout", "2h"},
	 "{\"shard_size\": \"2GB\", \"timeout\": 7200}",
	 NULL},
	{{"--priority", "-3"}, "{\"priority\": -3}", NULL},
	{{"--no-parity"}, "{\"parity\": false}", NULL},
	{{"--label", "a=b=c", "--label", "d="}, "{\"labels\": {\"a\": \"b=c\", \"d\": \"\"}}", NULL},
	{{"--no-parity", "--seed", "7"}, NULL, "--seed cannot be used with --no-parity"},
	{{"--min-cosine", "0.9", "--no-parity"},
	 NULL,
	 "--no-parity cannot be used with the options of parity"},
	{{"--label", "a"}, NULL, "--label must be KEY=VALUE"},
	{{"--label", "=a"}, NULL, "--label must be KEY=VALUE"},
	{{"--max-abs", "x"}, NULL, "max-abs must be a number"},
	{{"--seed", "1.5"}, NULL, "seed must be a whole number"},
	{{"--dtype", "\xff"}, NULL, "dtype must be UTF-8"},
};

TEST(test_job_options)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(jobs); i++) {
		json_t *spec = json_object(), *want = NULL;
		struct err e = ERR_INIT;
		int r = job_parse(jobs[i].args, spec, &e);

		if (jobs[i].json) {
			assert_no_error(&e);
			want = json_loads(jobs[i].json, 0, NULL);
			assert_non_null(want);
			if (!json_equal(spec, want))
				fail_msg("not %s", jobs[i].json);
		} else {
			assert_int_equal(r, E_USAGE);
			assert_error(&e, E_USAGE, jobs[i].words);
		}
		json_decref(want);
		json_decref(spec);
	}
}

TEST(test_paths_become_absolute)
{
	struct err e = ERR_INIT;
	json_t *spec = json_pack("{s:s, s:[s, s, i]}", "model", "/", "reference", ".", "/no/such/file", 3);

	assert_int_equal(job_paths_resolve(spec, &e), 0);
	assert_int_equal(json_string_value(json_array_get(json_object_get(spec, "reference"), 0))[0], '/');
	assert_string_equal(json_string_value(json_array_get(json_object_get(spec, "reference"), 1)),
			    "/no/such/file");
	(void)json_object_set_new(spec, "model", json_string("no/such/folder"));
	assert_int_equal(job_paths_resolve(spec, &e), E_BAD_REQUEST);
	assert_error(&e, E_BAD_REQUEST, "cannot find 'no/such/folder'");
	json_decref(spec);
}

int
main(void)
{
	return tests_run("options", NULL, NULL);
}
