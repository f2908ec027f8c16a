#include "test.h"

#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "http/core/token.h"

#define A "aaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbb"

static char dir[] = "/tmp/test_token.XXXXXX";
static char path[64];

static int
setup(void **state)
{
	(void)state;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/tokens", dir);
	return unsetenv("CREDENTIALS_DIRECTORY");
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove(dir, NULL);
}

static int
load(const char *text, size_t len, mode_t mode, struct tokens **ret, struct err *e)
{
	assert_int_equal(fs_write_file(path, text, len, NULL), 0);
	assert_int_equal(chmod(path, mode), 0);
	return tokens_load(path, ret, e);
}

TEST_WITH(test_found, setup, teardown)
{
	static const char text[] = "# who may call\n\nci submit " A "\r\n  grafana\tread  " B
				   "  \n\t# x\nroot admin ~!\"#$%&'()*+,-./";
	_cleanup_(tokens_free) struct tokens *t = NULL;
	struct err e = ERR_INIT;
	const struct token *found;

	assert_int_equal(load(text, strlen(text), 0600, &t, &e), 0);
	assert_no_error(&e);
	assert_int_equal(t->n, 3);
	found = tokens_find(t, A, 16);
	assert_non_null(found);
	assert_string_equal(found->name, "ci");
	assert_int_equal(found->scope, SCOPE_SUBMIT);
	assert_string_equal(tokens_find(t, B, 16)->name, "grafana");
	assert_int_equal(tokens_find(t, "~!\"#$%&'()*+,-./", 16)->scope, SCOPE_ADMIN);
	assert_null(tokens_find(t, A, 15));
	assert_null(tokens_find(t, A "a", 17));
	assert_null(tokens_find(t, A "\0", 17));
	assert_null(tokens_find(t, "", 0));
	assert_null(tokens_find(t, "AAAAAAAAAAAAAAAA", 16));
}

/* An error names the line but does not show the secret in it. */
TEST_WITH(test_refused, setup, teardown)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{"", "the file holds no token"},
		{"# nobody\n", "the file holds no token"},
		{"ci submit\n", "line 1: a line must be 'NAME SCOPE TOKEN'"},
		{"ci submit " A " " B "\n", "line 1: a line must be"},
		{"\n\nc/i submit " A "\n", "line 3: the name must be 1 to 63 letters"},
		{"0123456789012345678901234567890123456789012345678901234567890123 read " A "\n",
		 "the name must be"},
		{"ci write " A "\n", "the scope of 'ci' must be read, submit or admin"},
		{"ci none " A "\n", "the scope of 'ci' must be"},
		{"ci Read " A "\n", "the scope of 'ci' must be"},
		{"ci read aaaaaaaaaaaaaaa\n", "the token of 'ci' must be 16 to 256 visible characters"},
		{"ci read aaaaaaaaaaaaaaa\x7f\n", "the token of 'ci' must be"},
		{"ci read aaaaaaaaaaaaaaa\xc3\xa9\n", "the token of 'ci' must be"},
		{"ci read " A "\nci read " B "\n", "line 2: 'ci' has the name or the token of 'ci'"},
		{"ci read " A "\ncd read " A "\n", "line 2: 'cd' has the name or the token of 'ci'"},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct tokens *t = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(load(cases[i].text, strlen(cases[i].text), 0600, &t, &e), E_BAD_CONFIG);
		assert_error(&e, E_BAD_CONFIG, cases[i].words);
		assert_null(strstr(e.msg, "aaaa"));
		assert_null(strstr(e.msg, "bbbb"));
		assert_null(t);
	}
}

TEST_WITH(test_length, setup, teardown)
{
	struct buf b = BUF_INIT;
	int n;

	for (n = 256; n <= 257; n++) {
		_cleanup_(tokens_free) struct tokens *t = NULL;
		struct err e = ERR_INIT;
		int i;

		buf_clear(&b);
		buf_puts(&b, "ci read ");
		for (i = 0; i < n; i++)
			buf_puts(&b, "x");
		assert_int_equal(load(b.data, b.len, 0600, &t, &e), n == 256 ? 0 : E_BAD_CONFIG);
	}
	buf_release(&b);
}

TEST_WITH(test_file, setup, teardown)
{
	static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0644, 0601};
	struct tokens *t = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(open_modes); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(load("ci read " A, 24, open_modes[i], &t, &e), E_BAD_CONFIG);
		assert_error(&e, E_BAD_CONFIG, "set its mode to 0600, not 06");
	}
	{
		struct err e = ERR_INIT;

		assert_int_equal(load("ci read " A "\0x", 26, 0600, &t, &e), E_BAD_CONFIG);
		assert_error(&e, E_BAD_CONFIG, "the file holds a NUL");
	}
	{
		struct err e = ERR_INIT;

		assert_int_equal(unlink(path), 0);
		assert_int_equal(tokens_load(path, &t, &e), E_BAD_CONFIG);
		assert_error(&e, E_BAD_CONFIG, "No such file");
	}
	assert_int_equal(load("ci read " A, 24, 0400, &t, NULL), 0);
	tokens_free(&t);
}

/* systemd passes the file to this service only, so its mode does not matter. */
TEST_WITH(test_credential, setup, teardown)
{
	struct tokens *t = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(tokens_load("", &t, &e), 0);
	assert_null(t);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", dir, 1), 0);
	assert_int_equal(tokens_load("", &t, &e), 0);
	assert_null(t);
	assert_int_equal(fs_write_file(path, "ci read " A, 24, NULL), 0);
	assert_int_equal(chmod(path, 0440), 0);
	assert_int_equal(tokens_load("", &t, &e), 0);
	assert_non_null(t);
	tokens_free(&t);
	/* the setting has priority, and its file must have a safe mode */
	assert_int_equal(tokens_load(path, &t, &e), E_BAD_CONFIG);
}

int
main(void)
{
	return tests_run("token", NULL, NULL);
}
