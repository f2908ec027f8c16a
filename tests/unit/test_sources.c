/*
 * Links and other special files in the place of every file that a conversion reads: each must be refused,
 * and nothing that a link leads to is copied.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"
#include "tmpdir.h"
#include "worker/sources.h"

#define SECRET "boss admin s3cret-0123456789abcdef\n"

/* One file of each kind that a conversion reads, and a golden checkpoint that has it. */
static const struct {
	const char *golden, *name;
} files[] = {
	{"colqwen2-tiny", "model.safetensors"},
	{"colqwen2-tiny-bf16-sharded", "model.safetensors.index.json"},
	{"colqwen2-tiny-bf16-sharded", "model-00002-of-00003.safetensors"},
	{"colqwen2-tiny-lora", "adapter_config.json"},
	{"colqwen2-tiny-lora", "adapter_model.safetensors"},
	{"colqwen2-tiny-lora", "vocab.json"},
	{"colqwen2-tiny", "case-text-one.safetensors"},
#define PROCESSOR_FILE(name, ...) {"colqwen2-tiny", name},
#include "checkpoint/processor.def"
#undef PROCESSOR_FILE
};

enum stranger {
	LINK_ABSOLUTE,
	LINK_RELATIVE,
	LINK_CHAIN,
	LINK_DIR_OUT, /* a folder of the checkpoint that is a link, and the file behind it */
	LINK_ENVIRON,
	LINK_STDIN,
	LINK_ROOT,
	LINK_DEVICE,
	LINK_BROKEN,
	LINK_LOOP,
	LINK_SIBLING, /* into the folder beside: beneath the root, not beneath the checkpoint */
	FOLDER,
	FIFO,
	HARD_LINK, /* to a file of another owner */
	CONTENT,   /* a regular file with the content of the secret */
	STRANGER_MAX
};

static void
copy(const char *from, const char *to)
{
	_cleanup_free_ char *bytes = NULL;
	struct err e = ERR_INIT;
	size_t len;

	assert_int_equal(fs_read(from, 1 << 28, E_IO, &bytes, &len, &e), 0);
	assert_int_equal(fs_write_new(to, bytes, len, &e), 0);
}

static void
copy_all(const char *golden, const char *dir)
{
	static const char *const names[] = {"config.json",
					    "model.safetensors",
					    "model.safetensors.index.json",
					    "model-00001-of-00003.safetensors",
					    "model-00002-of-00003.safetensors",
					    "model-00003-of-00003.safetensors",
					    "adapter_config.json",
					    "adapter_model.safetensors",
					    "case-text-one.safetensors"};
	const char *top = getenv("COLCONV_SOURCE");
	size_t i;

	assert_int_equal(fs_mkdir_p(dir, 0755, NULL), 0);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_free_ char *from =
			str_printf("%s/tests/golden/%s/%s", top ? top : ".", golden, names[i]);
		_cleanup_free_ char *to = fs_join(dir, names[i]);

		if (fs_exists(from))
			copy(from, to);
	}
}

/* Returns false if this user cannot make such a file. */
static bool
plant(enum stranger s, const char *dir, const char *name, const char *secret)
{
	_cleanup_free_ char *at = fs_join(dir, name), *second = fs_join(dir, "second"), *target = NULL;

	(void)unlink(at);
	switch (s) {
	case LINK_ABSOLUTE:
		return symlink(secret, at) == 0;
	case LINK_RELATIVE:
		return symlink("../secret", at) == 0;
	case LINK_CHAIN:
		return symlink("../secret", second) == 0 && symlink("second", at) == 0;
	case LINK_DIR_OUT:
		return symlink("..", second) == 0 && symlink("second/secret", at) == 0;
	case LINK_ENVIRON:
		return symlink("/proc/self/environ", at) == 0;
	case LINK_STDIN:
		return symlink("/proc/self/fd/0", at) == 0;
	case LINK_ROOT:
		target = str_printf("/proc/self/root%s", secret);
		return symlink(target, at) == 0;
	case LINK_DEVICE:
		return symlink("/dev/zero", at) == 0;
	case LINK_BROKEN:
		return symlink("../nothing", at) == 0;
	case LINK_LOOP:
		return symlink(name, at) == 0;
	case LINK_SIBLING:
		return symlink("../base/config.json", at) == 0;
	case FOLDER:
		return mkdir(at, 0755) == 0;
	case FIFO:
		return mkfifo(at, 0644) == 0;
	case HARD_LINK:
		return geteuid() == 0 && chown(secret, 12345, 12345) == 0 && link(secret, at) == 0;
	case CONTENT:
		copy(secret, at);
		return true;
	case STRANGER_MAX:
		break;
	}
	return false;
}

/* Opens the checkpoint and every file that a conversion reads. */
static int
take(const char *dir, const char *base, const char *reference, const char *out, struct err *e)
{
	const struct checkpoint_choice choice = {.base = base};
	char *references[] = {(char *)(uintptr_t)reference};
	struct checkpoint *c = NULL;
	struct sources *s = NULL;
	int r;

	r = checkpoint_open(dir, &choice, &c, e);
	if (r == 0)
		r = sources_open(c, (struct folder_roots){.n = 0}, references, 1, out, &s, e);
	sources_free(&s);
	checkpoint_free(&c);
	return r;
}

/* Checks that no file in the folder contains the secret. */
static void
assert_clean(const char *out)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_free_ char *path = fs_join(out, files[i].name), *bytes = NULL;
		size_t len;

		if (fs_exists(path) && fs_read(path, 1 << 28, E_IO, &bytes, &len, NULL) == 0)
			assert_null(memmem(bytes, len, "s3cret", 6));
	}
}

static void
one(const char *top, size_t i, enum stranger s, size_t *tried)
{
	_cleanup_free_ char *dir = fs_join(top, "checkpoint"), *base = fs_join(top, "base"),
			    *out = fs_join(top, "out"), *secret = fs_join(top, "secret"),
			    *reference = fs_join(base, "case-text-one.safetensors");
	const bool lora = str_ends(files[i].golden, "-lora"), is_case = str_starts(files[i].name, "case-");
	struct err e = ERR_INIT;

	tmpdir_write(top, "secret", SECRET, strlen(SECRET));
	copy_all(files[i].golden, dir);
	copy_all("colqwen2-tiny", base);
	assert_int_equal(fs_mkdir_p(out, 0755, NULL), 0);
	if (is_case) {
		free(reference);
		reference = fs_join(dir, files[i].name);
	}
	/* colconv-parity checks what a case contains. A conversion does not copy it. */
	if (!(is_case && s == CONTENT) && plant(s, dir, files[i].name, secret)) {
		if (take(dir, lora ? base : NULL, reference, out, &e) == 0)
			fail_msg("%s: stranger %d was taken", files[i].name, s);
		if (!strstr(e.msg, files[i].name) || strstr(e.msg, "s3cret"))
			fail_msg("%s: stranger %d: %s", files[i].name, s, e.msg);
		if (s < LINK_LOOP)
			assert_int_equal(e.code, E_NOT_ALLOWED);
		assert_clean(out);
		(*tried)++;
	}
	assert_int_equal(fs_remove(dir, NULL), 0);
	assert_int_equal(fs_remove(base, NULL), 0);
	assert_int_equal(fs_remove(out, NULL), 0);
	assert_int_equal(fs_remove(secret, NULL), 0);
}

TEST_WITH(test_strangers, tmpdir_setup, tmpdir_teardown)
{
	size_t i, tried = 0;
	int s;

	for (i = 0; i < ARRAY_LEN(files); i++)
		for (s = 0; s < STRANGER_MAX; s++)
			one(*state, i, (enum stranger)s, &tried);
	print_message("%zu strangers in %zu files\n", tried, ARRAY_LEN(files));
}

/* Content of each kind of file that processor_check() accepts or refuses. */
TEST(test_contents)
{
	static const struct {
		const char *name, *text;
		size_t len; /* 0: the length of the string */
		bool good;
	} rows[] = {
		{"config.json", "{}", 0, true},
		{"config.json", "[]", 0, false},
		{"config.json", "{} x", 0, false},
		{"tokenizer_config.json", "{\"model_max_length\": 1000000000000000019884624838656}", 0, true},
		{"tokenizer_config.json", "{\"a\": \"\\ud83d\"}", 0, true},
		{"tokenizer.json", "{\"model\": {\"vocab\": {\"\\u0000\": 1}}}", 0, true},
		{"tokenizer.json", "{\"version\": \"1.0\"}", 0, false},
		{"vocab.json", "{\"a\": 0, \"b\": 1}", 0, true},
		{"vocab.json", "{\"auths\": {\"ghcr.io\": {}}}", 0, false},
		{"vocab.json", "{\"password\": \"x\"}", 0, false},
		{"added_tokens.json", "{}", 0, true},
		{"chat_template.json", "{\"chat_template\": \"{{ x }}\"}", 0, true},
		{"chat_template.json", "{\"token\": \"x\"}", 0, false},
		{"chat_template.jinja", "{%- for m in messages %}{{ m }}{% endfor %}", 0, true},
		{"chat_template.jinja", SECRET, 0, false},
		{"merges.txt", "#version: 0.2\n\xc4\xa0 t\r\nh e\n", 0, true},
		{"merges.txt", "", 0, true},
		{"merges.txt", SECRET, 0, false},
		{"merges.txt", "root:x:0:0:root:/root:/bin/bash\n", 0, false},
		{"merges.txt", "a\0b", 3, false},
		{"tokenizer.model", "\x0a\x03\x0a\x01x\x12\x02\x08\x01", 0, true},
		{"tokenizer.model", "\x12\x02\x08\x01", 0, false},
		{"tokenizer.model", "SQLite format 3", 16, false},
		{"tokenizer.model", SECRET, 0, false},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const size_t len = rows[i].len ? rows[i].len : strlen(rows[i].text);
		struct err e = ERR_INIT;
		int r = processor_check(rows[i].name, rows[i].text, len, "'it'", &e);

		if ((r == 0) != rows[i].good)
			fail_msg("row %zu (%s): %s", i, rows[i].name, r ? e.msg : "taken");
		if (strstr(e.msg, "s3cret"))
			fail_msg("row %zu is quoted: %s", i, e.msg);
	}
}

int
main(void)
{
	return tests_run("sources", NULL, NULL);
}
