/* A folder that other people can write to: which files may be opened in it, and which changes are noticed. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "tmpdir.h"

#define ALL_ROOTS ((struct folder_roots){.n = 0})
#define NAME_MAX_LEN 4096

/* Returns TOP/NAME in one of four static buffers, which later calls use again. */
static const char *
at(void **state, const char *name)
{
	static char path[4][NAME_MAX_LEN];
	static unsigned i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", (const char *)*state, name);
	return path[i];
}

static void
dir_make(void **state, const char *name)
{
	assert_int_equal(fs_mkdir_p(at(state, name), 0755, NULL), 0);
}

static struct folder *
open_ok(void **state, const char *name)
{
	struct folder *f = NULL;
	struct err e = ERR_INIT;

	(void)folder_open(at(state, name), ALL_ROOTS, E_BAD_CHECKPOINT, &f, &e);
	assert_no_error(&e);
	return f;
}

static void
read_is(struct folder *f, const char *name, const char *want)
{
	_cleanup_free_ char *text = NULL;
	struct err e = ERR_INIT;
	size_t len = 0;

	(void)folder_read(f, name, 1000, E_BAD_CHECKPOINT, &text, &len, &e);
	assert_no_error(&e);
	assert_string_equal(text, want);
}

static void
read_fails(struct folder *f, const char *name, int code, const char *words)
{
	char *text = NULL;
	struct err e = ERR_INIT;
	size_t len;

	assert_int_equal(folder_read(f, name, 1000, E_BAD_CHECKPOINT, &text, &len, &e), code);
	assert_error(&e, code, words);
	assert_null(text);
}

TEST(test_read)
{
	struct folder *f;

	dir_make(state, "plain/sub");
	tmpdir_write(*state, "plain/a", "A", 1);
	tmpdir_write(*state, "plain/sub/b", "B", 1);
	assert_int_equal(symlink("sub/b", at(state, "plain/inside")), 0);
	assert_int_equal(symlink("nowhere", at(state, "plain/broken")), 0);
	f = open_ok(state, "plain///");
	assert_string_equal(folder_path(f), at(state, "plain"));
	read_is(f, "a", "A");
	read_is(f, "sub/b", "B");
	read_is(f, "inside", "B");
	assert_true(folder_has(f, "a") && folder_has(f, "broken"));
	assert_false(folder_has(f, "c"));
	read_fails(f, "c", E_BAD_CHECKPOINT, "does not exist");
	read_fails(f, "sub", E_BAD_CHECKPOINT, "is not a regular file");
	assert_int_equal(folder_check(f, NULL), 0);
	folder_free(&f);
	assert_null(f);
	folder_free(&f);
}

TEST(test_not_a_folder)
{
	struct folder *f = NULL;
	struct err e = ERR_INIT;

	tmpdir_write(*state, "file", "x", 1);
	assert_int_equal(folder_open(at(state, "file"), ALL_ROOTS, E_BAD_CHECKPOINT, &f, &e),
			 E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "is not a folder");
	err_clear(&e);
	assert_int_equal(folder_open(at(state, "none"), ALL_ROOTS, E_BAD_CHECKPOINT, &f, &e),
			 E_BAD_CHECKPOINT);
	assert_null(f);
}

TEST(test_links_that_lead_out)
{
	static const char *const targets[] = {"../secret", "/etc/passwd", "/proc/self/environ",
					      "sub/../../secret"};
	struct folder *f;
	size_t i;

	dir_make(state, "links/sub");
	tmpdir_write(*state, "secret", "s3cret", 6);
	f = open_ok(state, "links");
	for (i = 0; i < ARRAY_LEN(targets); i++) {
		assert_int_equal(symlink(targets[i], at(state, "links/x")), 0);
		read_fails(f, "x", E_NOT_ALLOWED, "'");
		assert_int_equal(unlink(at(state, "links/x")), 0);
	}
	read_fails(f, "../secret", E_NOT_ALLOWED, "'");
	read_fails(f, at(state, "secret"), E_BAD_CHECKPOINT,
		   "does not exist"); /* the path starts with the folder */
	folder_free(&f);
}

TEST(test_a_fifo_does_not_hang)
{
	struct folder *f;

	dir_make(state, "fifo");
	assert_int_equal(mkfifo(at(state, "fifo/x"), 0600), 0);
	f = open_ok(state, "fifo");
	read_fails(f, "x", E_BAD_CHECKPOINT, "is not a regular file");
	folder_free(&f);
}

TEST(test_roots)
{
	_cleanup_free_ char *first = fs_join(*state, "root"), *second = fs_join(*state, "second");
	const char *const root[] = {first, second};
	const struct folder_roots roots = {.dir = root, .n = ARRAY_LEN(root)};
	struct folder *f = NULL;
	struct err e = ERR_INIT;

	dir_make(state, "root/in");
	dir_make(state, "second/in");
	dir_make(state, "rootless");
	assert_int_equal(symlink("../rootless", at(state, "root/out")), 0);
	assert_int_equal(folder_open(at(state, "root/in"), roots, E_IO, &f, &e), 0);
	folder_free(&f);
	assert_int_equal(folder_open(at(state, "second/in"), roots, E_IO, &f, &e), 0);
	folder_free(&f);
	assert_int_equal(folder_open(at(state, "root/out"), roots, E_IO, &f, &e), E_NOT_ALLOWED);
	err_clear(&e);
	assert_int_equal(folder_open(at(state, "root/in/../../rootless"), roots, E_IO, &f, &e),
			 E_NOT_ALLOWED);
	err_clear(&e);
	assert_int_equal(folder_open(at(state, "rootless"), roots, E_IO, &f, &e), E_NOT_ALLOWED);
	assert_error(&e, E_NOT_ALLOWED, "rootless");
	assert_null(f);
}

/* A snapshot in the Hub's cache may link to blobs of its own repository only. */
TEST(test_a_snapshot)
{
	struct folder *f;

	dir_make(state, "hub/models--o--a/blobs");
	dir_make(state, "hub/models--o--a/snapshots/c1");
	dir_make(state, "hub/models--o--b/blobs");
	tmpdir_write(*state, "hub/models--o--a/blobs/h", "A", 1);
	tmpdir_write(*state, "hub/models--o--b/blobs/h", "B", 1);
	assert_int_equal(symlink("../../blobs/h", at(state, "hub/models--o--a/snapshots/c1/own")), 0);
	assert_int_equal(
		symlink("../../../models--o--b/blobs/h", at(state, "hub/models--o--a/snapshots/c1/other")),
		0);
	f = open_ok(state, "hub/models--o--a/snapshots/c1");
	read_is(f, "own", "A");
	read_fails(f, "other", E_NOT_ALLOWED, "other");
	folder_free(&f);

	/* the same when the folder is a link to the snapshot */
	assert_int_equal(symlink("hub/models--o--a/snapshots/c1", at(state, "current")), 0);
	f = open_ok(state, "current");
	read_is(f, "own", "A");
	folder_free(&f);

	/* a folder within it belongs to the repository too; deeper ones do not exist there */
	dir_make(state, "hub/models--o--a/snapshots/c1/adapters/deep");
	assert_int_equal(symlink("../../../blobs/h", at(state, "hub/models--o--a/snapshots/c1/adapters/own")),
			 0);
	assert_int_equal(symlink("../../../../models--o--b/blobs/h",
				 at(state, "hub/models--o--a/snapshots/c1/adapters/other")),
			 0);
	assert_int_equal(
		symlink("../../../../blobs/h", at(state, "hub/models--o--a/snapshots/c1/adapters/deep/own")),
		0);
	f = open_ok(state, "hub/models--o--a/snapshots/c1/adapters");
	read_is(f, "own", "A");
	read_fails(f, "other", E_NOT_ALLOWED, "other");
	folder_free(&f);
	f = open_ok(state, "hub/models--o--a/snapshots/c1/adapters/deep");
	read_fails(f, "own", E_NOT_ALLOWED, "own");
	folder_free(&f);

	/* other folders have no such boundary */
	dir_make(state, "hub/plain/blobs");
	dir_make(state, "hub/plain/snapshots/c1");
	tmpdir_write(*state, "hub/plain/blobs/h", "P", 1);
	assert_int_equal(symlink("../../blobs/h", at(state, "hub/plain/snapshots/c1/x")), 0);
	f = open_ok(state, "hub/plain/snapshots/c1");
	read_fails(f, "x", E_NOT_ALLOWED, "leads out of its folder");
	folder_free(&f);
}

static void
do_append(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(write(fd, "!", 1), 1);
	assert_int_equal(close(fd), 0);
}

static void
do_overwrite(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, "?", 1, 0), 1);
	assert_int_equal(close(fd), 0);
}

/* Replaces a file with one that has the same size and the same time of modification. */
static void
do_forge(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	do_overwrite(path);
	assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
}

static void
do_replace(const char *path)
{
	assert_int_equal(fs_write_file(path, "text", 4, NULL), 0);
}

static void
do_remove(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static void
do_chmod(const char *path)
{
	assert_int_equal(chmod(path, 0400), 0);
}

TEST(test_changes)
{
	static const struct {
		void (*change)(const char *path);
		const char *words;
	} rows[] = {
		{do_append, "it has another size"},
		{do_overwrite, "it was written to"},
		{do_forge, "its owner, mode, links or times were set"},
		{do_replace, "another file has its name"},
		{do_remove, "it is gone"},
		{do_chmod, "its owner, mode, links or times were set"},
	};
	size_t i;

	dir_make(state, "changes");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = ERR_INIT;
		struct folder *f;

		tmpdir_write(*state, "changes/kept", "kept", 4);
		tmpdir_write(*state, "changes/x", "text", 4);
		f = open_ok(state, "changes");
		read_is(f, "kept", "kept");
		read_is(f, "x", "text");
		assert_int_equal(folder_check(f, &e), 0);
		rows[i].change(at(state, "changes/x"));
		assert_int_equal(folder_check(f, &e), E_SOURCE_CHANGED);
		assert_error(&e, E_SOURCE_CHANGED, rows[i].words);
		assert_error(&e, E_SOURCE_CHANGED, "changes/x'");
		if (rows[i].change != do_remove)
			read_fails(f, "x", E_SOURCE_CHANGED, rows[i].words);
		folder_free(&f);
		(void)unlink(at(state, "changes/x"));
	}
}

/* A user who may link to a file but not read it must not be able to have us read it. */
TEST(test_a_hard_link_to_a_file_of_another_owner)
{
	struct folder *f;

	if (geteuid() != 0)
		skip();
	dir_make(state, "hard");
	tmpdir_write(*state, "private", "s3cret", 6);
	assert_int_equal(chown(at(state, "private"), 12345, 12345), 0);
	assert_int_equal(link(at(state, "private"), at(state, "hard/x")), 0);
	tmpdir_write(*state, "hard/own", "own", 3);
	assert_int_equal(link(at(state, "hard/own"), at(state, "hard/twice")), 0);
	f = open_ok(state, "hard");
	read_fails(f, "x", E_NOT_ALLOWED, "hard link to a file of another owner");
	read_is(f, "twice", "own");
	folder_free(&f);
}

int
main(void)
{
	return tests_run("folder", tmpdir_setup, tmpdir_teardown);
}
