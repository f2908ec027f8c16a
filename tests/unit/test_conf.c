#include "test.h"

#include "service/conf.h"

static char path[] = "/tmp/test_conf.XXXXXX";
static struct conf conf;

static int
setup(void **state)
{
	int fd;

	(void)state;
	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int
teardown(void **state)
{
	(void)state;
	conf_release(&conf);
	return unlink(path);
}

/* Runs the parser with these words after --config FILE. */
static int
load(const char *text, char *a, char *b, struct err *e)
{
	char program[] = "colconvd", option[] = "--config";
	char *argv[] = {program, option, path, a, b, NULL};
	enum conf_action action;
	FILE *f = fopen(path, "w");

	(void)fputs(text, f);
	(void)fclose(f);
	return conf_load(a ? b ? 5 : 4 : 3, argv, &conf, &action, e);
}

TEST_WITH(test_defaults, setup, teardown)
{
	struct err e = ERR_INIT;

	assert_int_equal(load("", NULL, NULL, &e), 0);
	assert_string_equal(conf.state, "/var/lib/colconv");
	assert_int_equal(conf.listen.n, 0);
	assert_int_equal(conf.runner.n, 0);
	assert_int_equal(conf.worker_silence, 120);
}

TEST_WITH(test_file, setup, teardown)
{
	struct err e = ERR_INIT;

	assert_int_equal(load("# words\n\n job_timeout = 3 \nlisten=unix:/a\nlisten = [::1]:0\r\nrunner = a "
			      "1 X=1 srun -n 1",
			      NULL, NULL, &e),
			 0);
	assert_int_equal(conf.job_timeout, 3);
	assert_int_equal(conf.listen.n, 2);
	assert_string_equal(conf.listen.v[1], "[::1]:0");
	assert_string_equal(conf.runner.v[0], "a 1 X=1 srun -n 1");
}

TEST_WITH(test_option_wins, setup, teardown)
{
	char option[] = "--listen=unix:/b";
	struct err e = ERR_INIT;

	assert_int_equal(load("listen = unix:/a\nlisten = unix:/c\n", option, NULL, &e), 0);
	assert_int_equal(conf.listen.n, 1);
	assert_string_equal(conf.listen.v[0], "unix:/b");
}

TEST_WITH(test_option_with_dashes, setup, teardown)
{
	char option[] = "--worker-silence", value[] = "7";
	struct err e = ERR_INIT;

	assert_int_equal(load("", option, value, &e), 0);
	assert_int_equal(conf.worker_silence, 7);
}

TEST_WITH(test_context_says_where, setup, teardown)
{
	char option[] = "--slots=2";
	struct err e = ERR_INIT;

	assert_int_equal(load("listen = unix:/a\n\nlisten = unix:/b\nslots = 1\n", option, NULL, &e), 0);
	(void)err_set(&e, E_BAD_CONFIG, "odd");
	assert_int_equal(conf_context(&conf, &conf.listen, 1, &e), E_BAD_CONFIG);
	assert_error(&e, E_BAD_CONFIG, "line 3: odd");
	err_clear(&e);
	(void)err_set(&e, E_BAD_CONFIG, "odd");
	(void)conf_context(&conf, &conf.slots, 0, &e);
	assert_error(&e, E_BAD_CONFIG, "option '--slots': odd");
	err_clear(&e);
	(void)err_set(&e, E_BAD_CONFIG, "odd");
	(void)conf_context(&conf, &conf.state, 0, &e);
	assert_error(&e, E_BAD_CONFIG, "default of state: odd");
	assert_true(conf_is_set(&conf, &conf.slots));
	assert_false(conf_is_set(&conf, &conf.state));
}

static char changes[200];

static void
note(const char *name, bool taken)
{
	(void)snprintf(changes + strlen(changes), sizeof(changes) - strlen(changes), "%s%s ", name,
		       taken ? "" : "!");
}

TEST_WITH(test_take, setup, teardown)
{
	struct conf old;
	struct err e = ERR_INIT;

	changes[0] = '\0';
	assert_int_equal(load("roots = /a\nslots = 1\nworker = /w\nstate = /s\n", NULL, NULL, &e), 0);
	old = conf;
	assert_int_equal(
		load("roots = /a\nroots = /b\nslots = 2\nworker = /w\nstate = /t\nworker_silence = 3\n", NULL,
		     NULL, &e),
		0);
	conf_take(&old, &conf, note);
	assert_string_equal(changes, "state! roots slots worker_silence ");
	assert_string_equal(old.state, "/s");
	assert_int_equal(old.roots.n, 2);
	assert_string_equal(old.roots.v[1], "/b");
	assert_string_equal(old.slots, "2");
	assert_string_equal(conf.slots, "1");
	assert_true(conf_is_set(&old, &old.worker_silence));
	assert_false(conf_is_set(&conf, &conf.worker_silence));
	conf_release(&old);
}

TEST_WITH(test_json_has_no_secrets, setup, teardown)
{
	struct err e = ERR_INIT;
	json_auto_t *j = NULL;

	assert_int_equal(load("body_max = 3000\nrunner = a 1 HF_TOKEN=hf_secret X=  srun --gres=gpu:1\n",
			      NULL, NULL, &e),
			 0);
	j = conf_to_json(&conf);
	assert_int_equal(json_integer_value(json_object_get(j, "body_max")), 3000);
	assert_string_equal(json_string_value(json_object_get(j, "state")), "/var/lib/colconv");
	assert_string_equal(json_string_value(json_array_get(json_object_get(j, "runner"), 0)),
			    "a 1 HF_TOKEN=... X=...  srun --gres=gpu:1");
}

TEST_WITH(test_refusals, setup, teardown)
{
	static const struct {
		const char *text;
		const char *option;
		const char *words;
	} cases[] = {
		{"slot = 1\n", NULL, "line 1: unknown setting 'slot'"},
		{"\nslots\n", NULL, "line 2: 'slots' is not like 'name = value'"},
		{"stop_grace = 601\n", NULL, "line 1: stop_grace must be from 0 to 600, not '601'"},
		{"job_timeout = two\n", NULL, "line 1: job_timeout must be a whole number, not 'two'"},
		{"slots = 1\nstate = /a\nslots = 2\n", NULL, "line 3: line 1 has already set slots"},
		{"worker-silence = 1\n", NULL, "unknown setting 'worker-silence'"},
		{"", "--slot=1", "unknown option '--slot'"},
		{"", "--slots", "option '--slots' needs a value"},
		{"", "--stop-grace=999", "stop_grace must be from 0 to 600"},
		{"", "start", "unexpected argument 'start'"},
		{"", "--config", "option '--config' needs a value"},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = ERR_INIT;
		char *option = cases[i].option ? strdup(cases[i].option) : NULL;
		int r = load(cases[i].text, option, NULL, &e);

		free(option);
		assert_true(r < 0);
		assert_error(&e, r, cases[i].words);
	}
}

int
main(void)
{
	return tests_run("conf", NULL, NULL);
}
