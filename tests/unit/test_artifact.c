#include "test.h"

#include "artifact/artifact.h"
#include "base/fs.h"
#include "base/str.h"

#define SHA256_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define FILE_ROW(name, size) "{\"name\": \"" name "\", \"size\": " size ", \"sha256\": \"" SHA256_OF_ABC "\"}"
#define MANIFEST(rows) "{\"files\": [" rows "]}"

static char top[64];
static char *staging; /* of job 7, attempt 2 */
static struct err err;
static struct artifact_list list;

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(top, sizeof(top), "/tmp/colconv-test.XXXXXX");
	err_clear(&err);
	if (!mkdtemp(top) || artifact_init(top, &err) < 0)
		return -1;
	return artifact_stage(top, 7, 2, &staging, &err);
}

static int
teardown(void **state)
{
	(void)state;
	freep(&staging);
	staging = NULL;
	artifact_list_release(&list);
	return fs_remove(top, NULL);
}

static void
put(const char *name, const char *text)
{
	_cleanup_free_ char *path = fs_join(staging, name);

	assert_int_equal(fs_write_file(path, text, strlen(text), &err), 0);
}

static void
fill(void)
{
	put("text.onnx", "abc");
	put("parity.json", "{}\n");
	put("manifest.json", MANIFEST(FILE_ROW("text.onnx", "3") "," FILE_ROW("parity.json", "3")));
}

static bool
has(const char *name)
{
	_cleanup_free_ char *path = fs_join(top, name);

	return fs_exists(path);
}

static void
assert_text(int fd, uint64_t size, const char *want)
{
	char buf[64];

	assert_int_equal(size, strlen(want));
	assert_int_equal(read(fd, buf, sizeof(buf)), size);
	assert_memory_equal(buf, want, size);
	(void)close(fd);
}

TEST_WITH(test_publish, setup, teardown)
{
	uint64_t size = 0;
	int fd = -1;

	fill();
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), 0);
	assert_false(has("staging/7.2"));
	assert_int_equal(list.n, 3);
	assert_string_equal(list.files[0].name, "manifest.json");
	assert_int_equal(strlen(list.files[0].sha256), SHA256_HEX_LEN);
	assert_string_equal(list.files[2].name, "text.onnx");
	assert_int_equal(list.files[2].size, 3);
	assert_string_equal(list.files[2].sha256, SHA256_OF_ABC);

	assert_int_equal(artifact_open_file(top, 7, "text.onnx", &fd, &size, &err), 0);
	assert_text(fd, size, "abc");
	assert_int_equal(artifact_open_report(top, 7, &fd, &size, &err), 0);
	assert_text(fd, size, "{}\n");

	artifact_list_release(&list);
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err),
			 0); /* a second call: the artifact exists already */
	assert_int_equal(list.n, 3);
	assert_int_equal(artifact_publish(top, 8, 1, /*shared=*/false, &list, &err), E_NOT_FOUND);
}

/* The state of the disk after a publication that failed after its rename. */
TEST_WITH(test_publish_over, setup, teardown)
{
	uint64_t size;
	int fd;

	fill();
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), 0);
	freep(&staging);
	assert_int_equal(artifact_stage(top, 7, 3, &staging, &err), 0);
	put("image.onnx", "new");
	put("manifest.json", MANIFEST(FILE_ROW("image.onnx", "3")));
	artifact_list_release(&list);
	assert_int_equal(artifact_publish(top, 7, 3, /*shared=*/false, &list, &err), 0);
	assert_int_equal(list.n, 2);
	assert_false(has("artifacts/7/text.onnx"));
	assert_int_equal(artifact_open_file(top, 7, "image.onnx", &fd, &size, &err), 0);
	assert_text(fd, size, "new");
}

static void
assert_refused(const char *manifest, const char *words)
{
	err_clear(&err);
	put("manifest.json", manifest);
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), E_MISMATCH);
	assert_error(&err, E_MISMATCH, words);
	assert_error(&err, E_MISMATCH, "the artifact of job 7: ");
	assert_true(has("staging/7.2"));
	assert_false(has("artifacts/7"));
}

TEST_WITH(test_refused, setup, teardown)
{
	_cleanup_free_ char *path = fs_join(staging, "text.onnx"), *other = fs_join(staging, "other"),
			    *outside = fs_join(top, "outside");
	const char *good = MANIFEST(FILE_ROW("text.onnx", "3"));

	put("text.onnx", "abc");
	assert_refused("{", "manifest.json");
	assert_refused("{}", "files is missing");
	assert_refused(MANIFEST("1"), "name is missing");
	assert_refused(MANIFEST("{\"name\": \"text.onnx\", \"size\": 3, \"sha256\": \"beef\"}"),
		       "no SHA-256");
	assert_refused(MANIFEST(FILE_ROW("text.onnx", "-3")), "must be from 0");
	assert_refused(MANIFEST(FILE_ROW("text.onnx", "4")), "has 3 bytes, and the manifest says 4");
	assert_refused(MANIFEST(FILE_ROW("text.onnx", "3") "," FILE_ROW("gone", "3")), "no file 'gone'");
	assert_refused(MANIFEST(FILE_ROW("../../lock", "3")), "no file '../../lock'");
	assert_refused(MANIFEST(FILE_ROW("text.onnx", "3") "," FILE_ROW("text.onnx", "3")),
		       "'text.onnx' twice");
	assert_refused(MANIFEST(""), "'text.onnx' is not in the manifest");

	assert_int_equal(symlink("text.onnx", other), 0);
	assert_refused(MANIFEST(FILE_ROW("text.onnx", "3") "," FILE_ROW("other", "3")), "no file 'other'");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_refused(MANIFEST(FILE_ROW("text.onnx", "3") "," FILE_ROW("other", "3")), "no file 'other'");
	assert_int_equal(rmdir(other), 0);
	assert_int_equal(link(path, outside), 0);
	assert_refused(good, "'text.onnx' has other links");
	assert_int_equal(unlink(outside), 0);

	err_clear(&err);
	put("manifest.json", good);
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), 0);
}

/* The manifest must be a regular file, as all others. */
TEST_WITH(test_manifest_link, setup, teardown)
{
	_cleanup_free_ char *manifest = fs_join(staging, "manifest.json"), *outside = fs_join(top, "m");

	fill();
	assert_int_equal(rename(manifest, outside), 0);
	assert_int_equal(symlink("../../m", manifest), 0);
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), E_MISMATCH);
	assert_int_equal(unlink(manifest), 0);
	err_clear(&err);
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), E_MISMATCH);
	assert_error(&err, E_MISMATCH, "no file 'manifest.json'");
}

TEST_WITH(test_open_refused, setup, teardown)
{
	static const char *const names[] = {"",     ".",      "..", "../7/text.onnx", "a/b", "link",
					    "fifo", "folder", "no"};
	_cleanup_free_ char *a = fs_join(top, "artifacts/7/link"), *b = fs_join(top, "artifacts/7/fifo"),
			    *c = fs_join(top, "artifacts/7/folder");
	uint64_t size;
	size_t i;
	int fd;

	fill();
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), 0);
	assert_int_equal(symlink("text.onnx", a), 0);
	assert_int_equal(mkfifo(b, 0600), 0);
	assert_int_equal(mkdir(c, 0700), 0);
	for (i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(artifact_open_file(top, 7, names[i], &fd, &size, NULL), E_NOT_FOUND);
	assert_int_equal(artifact_open_file(top, 8, "text.onnx", &fd, &size, &err), E_NOT_FOUND);
	assert_error(&err, E_NOT_FOUND, "there is no file 'text.onnx'");
}

/* Two jobs have the same files, which stay until both artifacts are gone. */
TEST_WITH(test_share, setup, teardown)
{
	uint64_t size;
	int fd;

	assert_int_equal(artifact_share(top, 7, 8, 1, &err), E_NOT_FOUND);
	assert_error(&err, E_NOT_FOUND, "job 7 has no artifact");
	err_clear(&err);
	fill();
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), 0);
	artifact_list_release(&list);
	assert_int_equal(artifact_share(top, 7, 8, 1, &err), 0);
	assert_int_equal(artifact_share(top, 7, 8, 1, &err), 0); /* again, after a crash */
	assert_int_equal(artifact_publish(top, 8, 1, /*shared=*/false, &list, &err), E_MISMATCH);
	assert_error(&err, E_MISMATCH, "has other links");
	err_clear(&err);
	assert_int_equal(artifact_publish(top, 8, 1, /*shared=*/true, &list, &err), 0);
	assert_int_equal(list.n, 3);

	assert_int_equal(artifact_trash(top, 7, &err), 0);
	while (artifact_trash_step(top, &err) > 0)
		;
	assert_int_equal(artifact_open_file(top, 8, "text.onnx", &fd, &size, &err), 0);
	assert_text(fd, size, "abc");
	assert_int_equal(artifact_open_report(top, 7, &fd, &size, &err), 0);
	assert_text(fd, size, "{}\n");
	assert_int_equal(artifact_open_report(top, 8, &fd, &size, &err), 0);
	assert_text(fd, size, "{}\n");
}

TEST_WITH(test_report, setup, teardown)
{
	uint64_t size;
	int fd;

	assert_int_equal(artifact_keep_report(top, 7, 2, &err), E_NOT_FOUND);
	err_clear(&err);
	assert_int_equal(artifact_open_report(top, 7, &fd, &size, &err), E_NOT_FOUND);
	err_clear(&err);
	fill();
	assert_int_equal(artifact_keep_report(top, 7, 2, &err), 0);
	assert_int_equal(artifact_discard(top, 7, 2, &err), 0);
	assert_int_equal(artifact_discard(top, 7, 2, &err), 0);
	assert_false(has("staging/7.2"));
	assert_int_equal(artifact_open_report(top, 7, &fd, &size, &err), 0);
	assert_text(fd, size, "{}\n");
}

TEST_WITH(test_stage_empties, setup, teardown)
{
	fill();
	freep(&staging);
	assert_int_equal(artifact_stage(top, 7, 2, &staging, &err), 0);
	assert_true(has("staging/7.2"));
	assert_false(has("staging/7.2/text.onnx"));
}

/*
 * A file that is larger than one step, so that it is deleted in several. It is sparse and takes no space on the
 * disk.
 */
static void
big(const char *name)
{
	_cleanup_free_ char *path = fs_join(top, name);

	assert_int_equal(truncate(path, INT64_C(200) << 20), 0);
}

static int
steps(void)
{
	int n = 0, r;

	while ((r = artifact_trash_step(top, &err)) == 1)
		n++;
	assert_int_equal(r, 0);
	return n;
}

TEST_WITH(test_trash, setup, teardown)
{
	uint64_t size;
	int fd;

	fill();
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), 0);
	big("artifacts/7/text.onnx");
	assert_int_equal(steps(), 0);
	assert_int_equal(artifact_trash(top, 7, &err), 0);
	assert_int_equal(artifact_trash(top, 7, &err), 0);
	assert_int_equal(artifact_sync(top, &err), 0);
	assert_false(has("artifacts/7"));
	assert_true(has("trash/7.1/text.onnx"));
	assert_int_equal(artifact_open_report(top, 7, &fd, &size, &err), 0); /* it stays until the job goes */
	assert_text(fd, size, "{}\n");
	assert_int_equal(steps(), 12 + 2 + 1); /* one step for each cut, each file and the folder */
	assert_false(has("trash/7.1"));
	assert_true(has("trash"));
	assert_int_equal(artifact_remove_report(top, 7, &err), 0);
	assert_int_equal(artifact_open_report(top, 7, &fd, &size, &err), E_NOT_FOUND);
	err_clear(&err);
}

/*
 * An artifact may have files in a folder: they are listed, opened and removed. Files that are not listed there are
 * refused.
 */
TEST_WITH(test_folder, setup, teardown)
{
	_cleanup_free_ char *sub = NULL, *outside = NULL;
	uint64_t size;
	int fd;

	fill();
	sub = fs_join(staging, "onnx");
	outside = fs_join(top, "outside");
	assert_int_equal(mkdir(sub, 0700), 0);
	put("onnx/model.onnx", "abc");
	put("manifest.json", "{\"additional_metadata\": " MANIFEST(FILE_ROW("text.onnx", "3") "," FILE_ROW(
				     "parity.json", "3") "," FILE_ROW("onnx/model.onnx", "3")) "}");
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), 0);
	assert_int_equal(list.n, 4);
	assert_string_equal(list.files[1].name, "onnx/model.onnx");
	assert_int_equal(artifact_open_file(top, 7, "onnx/model.onnx", &fd, &size, &err), 0);
	assert_text(fd, size, "abc");
	assert_int_equal(artifact_open_file(top, 7, "onnx", &fd, &size, &err), E_NOT_FOUND);
	err_clear(&err);
	assert_int_equal(artifact_open_file(top, 7, "onnx/../text.onnx", &fd, &size, &err), E_NOT_FOUND);
	err_clear(&err);
	freep(&sub);
	sub = fs_join(top, "artifacts/7/onnx");
	assert_int_equal(rename(sub, outside), 0);
	assert_int_equal(symlink("../../outside", sub), 0);
	assert_int_equal(artifact_open_file(top, 7, "onnx/model.onnx", &fd, &size, &err), E_NOT_FOUND);
	err_clear(&err);
}

TEST_WITH(test_folder_strangers, setup, teardown)
{
	_cleanup_free_ char *sub = NULL;

	fill();
	sub = fs_join(staging, "onnx");
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_refused(MANIFEST(FILE_ROW("text.onnx", "3") "," FILE_ROW("parity.json", "3")),
		       "'onnx' is not in the manifest");
	put("onnx/model.onnx", "abc");
	put("onnx/notes.txt", "abc");
	assert_refused(MANIFEST(FILE_ROW("text.onnx", "3") "," FILE_ROW("parity.json", "3") "," FILE_ROW(
			       "onnx/model.onnx", "3")),
		       "'onnx/notes.txt' is not in the manifest");
}

/* The same artifact is removed twice, as recovery may do. */
TEST_WITH(test_trash_twice, setup, teardown)
{
	_cleanup_free_ char *again = fs_join(top, "artifacts/7");

	fill();
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), 0);
	assert_int_equal(artifact_trash(top, 7, &err), 0);
	assert_int_equal(mkdir(again, 0700), 0);
	assert_int_equal(artifact_trash(top, 7, &err), 0);
	assert_true(has("trash/7.2"));
	(void)steps();
	assert_false(has("trash/7.1") || has("trash/7.2"));
}

/* A download that began before the removal can be read to its end, while the other files are removed. */
TEST_WITH(test_trash_read, setup, teardown)
{
	char buf[8];
	uint64_t size;
	int fd;

	fill();
	assert_int_equal(artifact_publish(top, 7, 2, /*shared=*/false, &list, &err), 0);
	big("artifacts/7/text.onnx");
	assert_int_equal(artifact_open_file(top, 7, "text.onnx", &fd, &size, &err), 0);
	assert_int_equal(artifact_trash(top, 7, &err), 0);
	(void)steps();
	assert_true(has("trash/7.1/text.onnx"));
	assert_false(has("trash/7.1/parity.json"));
	assert_int_equal(lseek(fd, 0, SEEK_END), INT64_C(200) << 20);
	assert_int_equal(pread(fd, buf, 3, 0), 3);
	assert_memory_equal(buf, "abc", 3);
	(void)close(fd);
	(void)steps();
	assert_false(has("trash/7.1"));
}

/* Links and special files that somebody put into an artifact: removing them changes nothing outside. */
TEST_WITH(test_trash_strange, setup, teardown)
{
	_cleanup_free_ char *dir = fs_join(top, "trash/x"), *sub = fs_join(top, "trash/x/sub"),
			    *link_dir = fs_join(top, "trash/x/dir"), *fifo = fs_join(top, "trash/x/sub/fifo"),
			    *hard = fs_join(top, "trash/x/hard"), *outside = fs_join(top, "outside");
	struct stat st;

	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(symlink(top, link_dir), 0);
	assert_int_equal(fs_write_file(outside, "x", 1, &err), 0);
	big("outside");
	assert_int_equal(link(outside, hard), 0);
	assert_int_equal(steps(), 5);
	assert_false(has("trash/x"));
	assert_int_equal(stat(outside, &st), 0);
	assert_int_equal(st.st_size, INT64_C(200) << 20);
	assert_true(has("artifacts"));
}

int
main(void)
{
	return tests_run("artifact", NULL, NULL);
}
