#include "test.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "checkpoint/names.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/stwriter.h"
#include "tmpdir.h"

/* Makes a file with this header and `data_len` bytes of data: 0, 1, 2... */
static void
file_make(struct buf *b, const char *header, size_t header_len, size_t data_len)
{
	size_t i;

	for (i = 0; i < 8; i++)
		buf_add(b, &(char){(char)(header_len >> 8 * i)}, 1);
	buf_add(b, header, header_len);
	for (i = 0; i < data_len; i++)
		buf_add(b, &(char){(char)i}, 1);
	assert_int_equal(buf_failed(b, NULL), 0);
}

/* Writes the bytes to a file and opens it. An error must name the file. */
static int
open_bytes(void **state, const struct buf *b, struct st_file **ret, struct err *e)
{
	_cleanup_free_ char *path = fs_join(*state, "x.safetensors");
	int r;

	tmpdir_write(*state, "x.safetensors", b->len ? b->data : "", b->len);
	r = st_open(path, E_BAD_REFERENCE, ret, e);
	if (r < 0)
		assert_error(e, E_BAD_REFERENCE, path);
	return r;
}

#define F32_2 "\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": "

static const struct {
	const char *header;
	size_t data_len;
	const char *error; /* NULL: the file is accepted */
} rows[] = {
	/* the document */
	{"{}", 0, NULL},
	{"{} \t\r\n", 0, NULL},
	{"  {}", 0, NULL},
	{"", 0, "header"},
	{"[]", 0, "must be a JSON object"},
	{"1", 0, "header"},
	{"null", 0, "header"},
	{"{} x", 0, "header"},
	{"{", 0, "header"},
	{"\xef\xbb\xbf{}", 0, "header"},
	{"{\"\xff\": 1}", 0, "header"},
	{"{\"a\\u0000b\": 1}", 0, "header"},
	{"{\"a\\ud800\": 1}", 0, "header: line 1, column 10: wrong escape in a string"},
	{"{\"a\\udc00\": 1}", 0, "wrong escape"},
	{"{\"a\\q\": 1}", 0, "wrong escape"},
	{"{\"a\\u12g4\": 1}", 0, "wrong escape"},
	{"{\"a\n\": 1}", 0, "a control character or is not UTF-8"},
	{"{\"a", 0, "a string has no end"},
	{"{\n\"a\" 1}", 0, "header: line 2, column 5: ':' expected"},
	{"{,}", 0, "header"},
	{"{\"__metadata__\": {},}", 0, "'\"' expected"},
	{"{\"__metadata__\": {}", 0, "',' expected"},
	{"{}", 1, "1 bytes after the last tensor"},
	/* metadata */
	{"{\"__metadata__\": {\"format\": \"pt\", \"a\": \"\"}}", 0, NULL},
	{"{\"__metadata__\": {}}", 0, NULL},
	{"{\"__metadata__\": null}", 0, NULL},
	{"{\"__metadata__\": {\"n\": 1}}", 0, "__metadata__.n must be a string"},
	{"{\"__metadata__\": []}", 0, "__metadata__ must be an object"},
	/* one tensor */
	{"{\"a\": {" F32_2 "[0, 8]}}", 8, NULL},
	{"{\"a\": {" F32_2 "[0, 8], \"extra\": {}}}", 8, NULL},
	{"{\"\": {" F32_2 "[0, 8]}}", 8, NULL},
	{"{\"a\": {\"x\": [{\"y\": [-0.5e+3, 1E2, true, false, null, \"\\\"]}\"]}, [], {}], " F32_2
	 "[0, 8]}}",
	 8, NULL},
	{"{\"a\": {\"x\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]], " F32_2
	 "[0, 8]}}",
	 8, "nested too deeply"},
	{"{\"a\": {\"x\": 01, " F32_2 "[0, 8]}}", 8, "a value expected"},
	{"{\"a\": {\"x\": 1., " F32_2 "[0, 8]}}", 8, "wrong number"},
	{"{\"a\": {\"x\": 1e, " F32_2 "[0, 8]}}", 8, "wrong number"},
	{"{\"a\": {\"x\": nul, " F32_2 "[0, 8]}}", 8, "a value expected"},
	{"{\"a\": {\"dtype\": \"F32\", " F32_2 "[0, 8]}}", 8, "dtype is there twice"},
	{"{\"a\": {\"shape\": [2], " F32_2 "[0, 8]}}", 8, "shape is there twice"},
	{"{\"a\": {\"data_offsets\": [0, 8], " F32_2 "[0, 8]}}", 8, "data_offsets is there twice"},
	{"{\"a\": 1}", 0, "tensor 'a': its entry must be an object"},
	{"{\"a\": {" F32_2 "[0, 8]}}", 7, "tensor 'a': its bytes end at 8, but the file holds only 7"},
	{"{\"a\": {" F32_2 "[0, 8]}}", 9, "1 bytes after"},
	{"{\"a\": {" F32_2 "[0, 4]}}", 4, "4 bytes, but 2 elements of F32"},
	{"{\"a\": {" F32_2 "[8, 0]}}", 8, "data_offsets must be two whole numbers"},
	{"{\"a\": {" F32_2 "[-8, 0]}}", 8, "data_offsets must be"},
	{"{\"a\": {" F32_2 "[0, 8, 8]}}", 8, "data_offsets must be"},
	{"{\"a\": {" F32_2 "[0]}}", 8, "data_offsets must be"},
	{"{\"a\": {" F32_2 "[0, 8.0]}}", 8, "data_offsets must be"},
	{"{\"a\": {" F32_2 "\"0 8\"}}", 8, "data_offsets must be an array"},
	{"{\"a\": {" F32_2 "[0, 9223372036854775807]}}", 8, "its bytes end at"},
	{"{\"a\": {" F32_2 "[0, 9223372036854775808]}}", 8, "header"},
	{"{\"a\": {\"dtype\": \"F32\", \"shape\": [2]}}", 8, "data_offsets is missing"},
	{"{\"a\": {\"dtype\": \"F32\", \"data_offsets\": [0, 8]}}", 8, "shape is missing"},
	{"{\"a\": {\"shape\": [2], \"data_offsets\": [0, 8]}}", 8, "dtype is missing"},
	/* dtypes and shapes */
	{"{\"a\": {\"dtype\": \"f32\", \"shape\": [2], \"data_offsets\": [0, 8]}}", 8,
	 "dtype 'f32' is not known"},
	{"{\"a\": {\"dtype\": \"F4\", \"shape\": [2], \"data_offsets\": [0, 1]}}", 1,
	 "dtype 'F4' is not known"},
	{"{\"a\": {\"dtype\": 1, \"shape\": [2], \"data_offsets\": [0, 8]}}", 8, "dtype must be a string"},
	{"{\"a\": {\"dtype\": \"F32\", \"shape\": 2, \"data_offsets\": [0, 8]}}", 8,
	 "shape must be an array"},
	{"{\"a\": {\"dtype\": \"F32\", \"shape\": [-2], \"data_offsets\": [0, 8]}}", 8, "shape must hold"},
	{"{\"a\": {\"dtype\": \"F32\", \"shape\": [2.0], \"data_offsets\": [0, 8]}}", 8, "shape must hold"},
	{"{\"a\": {\"dtype\": \"F32\", \"shape\": [], \"data_offsets\": [0, 4]}}", 4, NULL},
	{"{\"a\": {\"dtype\": \"F32\", \"shape\": [0, 3], \"data_offsets\": [0, 0]}}", 0, NULL},
	{"{\"a\": {\"dtype\": \"U8\", \"shape\": [1,1,1,1,1,1,1,1], \"data_offsets\": [0, 1]}}", 1, NULL},
	{"{\"a\": {\"dtype\": \"U8\", \"shape\": [1,1,1,1,1,1,1,1,1], \"data_offsets\": [0, 1]}}", 1,
	 "9 dimensions"},
	{"{\"a\": {\"dtype\": \"U8\", \"shape\": [4294967296, 4294967296], \"data_offsets\": [0, 0]}}", 0,
	 "too many elements"},
	{"{\"a\": {\"dtype\": \"F64\", \"shape\": [4611686018427387904], \"data_offsets\": [0, 0]}}", 0,
	 "elements of F64"},
	/* several */
	{"{\"b\": {" F32_2 "[8, 16]}, \"a\": {" F32_2 "[0, 8]}}", 16, NULL},
	{"{\"z\": {\"dtype\": \"F32\", \"shape\": [0], \"data_offsets\": [8, 8]}, \"b\": {" F32_2
	 "[8, 16]}, \"a\": {" F32_2 "[0, 8]}}",
	 16, NULL},
	{"{\"z\": {\"dtype\": \"F32\", \"shape\": [0], \"data_offsets\": [4, 4]}, \"a\": {" F32_2 "[0, 8]}}",
	 8, "tensor 'z' begins at byte 4"},
	{"{\"a\": {\"dtype\": \"U8\", \"shape\": [1], \"data_offsets\": [0, 1]}, \"b\": {\"dtype\": "
	 "\"BF16\", "
	 "\"shape\": [1], \"data_offsets\": [1, 3]}}",
	 3, NULL},
	{"{\"a\": {" F32_2 "[1, 9]}}", 9, "tensor 'a' begins at byte 1"},
	{"{\"a\": {" F32_2 "[0, 8]}, \"b\": {" F32_2 "[9, 17]}}", 17, "tensor 'b' begins at byte 9"},
	{"{\"a\": {" F32_2 "[0, 8]}, \"b\": {" F32_2 "[4, 12]}}", 12, "tensor 'b' begins at byte 4"},
	{"{\"a\": {" F32_2 "[0, 8]}, \"b\": {" F32_2 "[0, 8]}}", 8, "tensor 'b' begins at byte 0"},
	{"{\"a\": {" F32_2 "[0, 8]}, \"a\": {" F32_2 "[0, 8]}}", 8, "header"},
};

TEST(test_rows)
{
	struct st_file *f = NULL;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(buf_release) struct buf b = BUF_INIT;
		struct err e = ERR_INIT;

		file_make(&b, rows[i].header, strlen(rows[i].header), rows[i].data_len);
		r = open_bytes(state, &b, &f, &e);
		if (!rows[i].error) {
			assert_no_error(&e);
			assert_int_equal(st_len(f), b.len);
			st_free(&f);
		} else if (r == 0) {
			fail_msg("'%s' was accepted", rows[i].header);
		} else {
			assert_error(&e, E_BAD_REFERENCE, rows[i].error);
		}
		assert_null(f);
	}
}

TEST(test_dtypes)
{
	enum elem d;

	for (d = 0; d < ELEM_MAX; d++) {
		_cleanup_(buf_release) struct buf b = BUF_INIT, header = BUF_INIT;
		struct st_file *f = NULL;
		struct err e = ERR_INIT;

		buf_printf(&header,
			   "{\"a\": {\"dtype\": \"%s\", \"shape\": [3], \"data_offsets\": [0, %zu]}}",
			   elem_name(d), 3 * elem_size(d));
		file_make(&b, header.data, header.len, 3 * elem_size(d));
		(void)open_bytes(state, &b, &f, &e);
		assert_no_error(&e);
		assert_int_equal(st_get(f, 0)->dtype, d);
		st_free(&f);
	}
}

TEST(test_length)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *error;
	} files[] = {
		{"", 0, "0 bytes, too few"},
		{"\2\0\0\0\0\0\0", 7, "7 bytes, too few"},
		{"\0\0\0\0\0\0\0\0", 8, "header"},
		{"\3\0\0\0\0\0\0\0{}", 10, "3 bytes is longer than the file"},
		{"\1\xe1\xf5\5\0\0\0\0{}", 10, "100000001 bytes is longer than 100000000"},
		{"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "18446744073709551615 bytes is longer"},
		{"\3\0\0\0\0\0\0\0{}\0", 11, "header"},
	};
	struct st_file *f = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(files); i++) {
		struct buf b = {.data = (char *)(uintptr_t)files[i].bytes, .len = files[i].len};
		struct err e = ERR_INIT;

		assert_int_equal(open_bytes(state, &b, &f, &e), E_BAD_REFERENCE);
		assert_error(&e, E_BAD_REFERENCE, files[i].error);
	}
}

/* Other files that a failed download leaves under the name of a safetensors file. */
TEST(test_strangers)
{
	static const struct {
		const char *text, *error;
	} files[] = {
		{"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4418050848\n",
		 "it is a Git LFS pointer instead of the file itself; run 'git lfs install' and 'git lfs "
		 "pull'"},
		{"<html><head><title>429 Too Many Requests</title>", "it is an HTML page"},
		{"\xef\xbb\xbf\r\n  <!DOCTYPE HTML>\n<html>", "it is an HTML page"},
		{"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", "it is an XML page"},
		{"PK\3\4\24\0\10\10 archive/data.pkl", "save the model again as safetensors"},
		{"{\"error\": \"Invalid username or password.\"}",
		 "it is a text file, not binary data; download it again"},
		{"Entry not found", "it is a text file, not binary data; download it again"},
	};
	struct st_file *f = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(files); i++) {
		const char *text = files[i].text;
		struct buf b = {.data = (char *)(uintptr_t)text, .len = text[0] == 'P' ? 26 : strlen(text)};
		struct err e = ERR_INIT;

		assert_int_equal(open_bytes(state, &b, &f, &e), E_BAD_REFERENCE);
		assert_error(&e, E_BAD_REFERENCE, files[i].error);
	}
}

/* How many bytes RLIMIT_DATA counts now. */
static size_t
data_len(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	size_t kib = 0;

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmData: %zu kB", &kib) == 1)
			break;
	(void)fclose(f);
	return kib << 10;
}

/* Writes a header of n empty tensors. */
static void
many_make(struct buf *b, size_t n)
{
	_cleanup_(buf_release) struct buf header = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++)
		buf_printf(&header,
			   "%c\"%zx\": {\"dtype\": \"U8\", \"shape\": [0], \"data_offsets\": [0, 0]}",
			   i ? ',' : '{', i);
	buf_puts(&header, "}");
	file_make(b, header.data, header.len, 0);
}

/* Only the tensors use memory. A JSON tree of this header would take 280 MB, and the limit is lower. */
TEST(test_many)
{
	_cleanup_(buf_release) struct buf most = BUF_INIT, more = BUF_INIT;
	_cleanup_free_ char *path = fs_join(*state, "x.safetensors");
	struct rlimit old, limit;
	struct st_file *f = NULL;
	struct err e = ERR_INIT;
	int r;

	many_make(&more, ST_TENSORS_MAX + 1);
	assert_int_equal(open_bytes(state, &more, &f, &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "it has more than 262144 tensors");
	err_clear(&e);

	many_make(&most, ST_TENSORS_MAX);
	tmpdir_write(*state, "x.safetensors", most.data, most.len);
	assert_int_equal(getrlimit(RLIMIT_DATA, &old), 0);
	limit = old;
	limit.rlim_cur = data_len() + (40u << 20);
	assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
	r = st_open(path, E_BAD_CHECKPOINT, &f, &e);
	assert_int_equal(setrlimit(RLIMIT_DATA, &old), 0);
	assert_no_error(&e);
	assert_int_equal(r, 0);
	assert_int_equal(st_count(f), ST_TENSORS_MAX);
	assert_string_equal(st_find(f, "3ffff")->name, "3ffff");
	st_free(&f);
}

TEST(test_no_file)
{
	_cleanup_free_ char *path = fs_join(*state, "none.safetensors");
	struct st_file *f = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(st_open(path, E_BAD_CHECKPOINT, &f, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "No such file");
	err_clear(&e);
	assert_int_equal(st_open(*state, E_BAD_CHECKPOINT, &f, &e), E_BAD_CHECKPOINT);
	assert_error(&e, E_BAD_CHECKPOINT, "not a regular file");
}

TEST(test_name_len)
{
	char name[NAME_LEN_MAX + 1];
	int len;

	for (len = NAME_LEN_MAX - 1; len <= NAME_LEN_MAX; len++) {
		_cleanup_(buf_release) struct buf b = BUF_INIT, header = BUF_INIT;
		struct st_file *f = NULL;
		struct err e = ERR_INIT;

		memset(name, 'n', sizeof(name));
		buf_printf(&header, "{\"%.*s\": {" F32_2 "[0, 8]}}", len, name);
		file_make(&b, header.data, header.len, 8);
		assert_int_equal(open_bytes(state, &b, &f, &e), len < NAME_LEN_MAX ? 0 : E_BAD_REFERENCE);
		if (len == NAME_LEN_MAX)
			assert_error(&e, E_BAD_REFERENCE, "name has 512 bytes, more than 511");
		st_free(&f);
	}
}

TEST(test_get)
{
	static const char header[] =
		"{\"b\\u0041\": {\"dtype\": \"BF16\", \"shape\": [2, 3], \"data_offsets\": [1, 13]},"
		" \"a\": {\"dtype\": \"U8\", \"shape\": [1], \"data_offsets\": [0, 1]},"
		" \"none\": {\"dtype\": \"I64\", \"shape\": [0, 7], \"data_offsets\": [13, 13]}}";
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	const struct st_tensor *t;
	struct st_file *f = NULL;
	struct err e = ERR_INIT;

	file_make(&b, header, strlen(header), 13);
	(void)open_bytes(state, &b, &f, &e);
	assert_no_error(&e);
	assert_int_equal(st_count(f), 3);
	assert_string_equal(st_get(f, 0)->name, "a");
	assert_null(st_find(f, "b"));
	t = st_find(f, "bA");
	assert_ptr_equal(t, st_get(f, 1));
	assert_int_equal(t->dtype, ELEM_BF16);
	assert_int_equal(t->rank, 2);
	assert_int_equal(t->shape[1], 3);
	assert_int_equal(t->count, 6);
	assert_int_equal(t->len, 12);
	assert_int_equal(t->data[0], 1);
	st_drop(f, t->data, t->len);
	assert_int_equal(t->data[11], 12);
	t = st_find(f, "none");
	assert_null(t->data);
	assert_int_equal(t->count, 0);
	st_free(&f);
	assert_null(f);
	st_free(&f);
}

TEST(test_write)
{
	static const int64_t big[] = {3, 1 << 20};
	_cleanup_free_ unsigned char *bytes = malloc(3 << 20);
	_cleanup_free_ char *path = fs_join(*state, "w.safetensors");
	struct err e = ERR_INIT;
	struct st_file *f = NULL;
	struct stw *w = NULL;
	size_t i, at;

	for (i = 0; i < 3u << 20; i++)
		bytes[i] = (unsigned char)(i * 2654435761u >> 13);
	(void)stw_new(path, &w, &e);
	(void)stw_meta(w, "format", "pt", &e);
	(void)stw_add(w, "one \"quoted\"", ELEM_F16, 0, NULL, &e);
	(void)stw_add(w, "big", ELEM_U8, 2, big, &e);
	(void)stw_begin(w, &e);
	(void)stw_data(w, "xy", 2, &e);
	/* Pieces smaller than, equal to and larger than the writer's block. */
	for (at = 0, i = 1; at < 3u << 20; at += i, i = MIN(i * 7, (3u << 20) - at))
		(void)stw_data(w, bytes + at, i, &e);
	assert_false(fs_exists(path));
	(void)stw_finish(w, &e);
	stw_free(&w);
	assert_no_error(&e);

	(void)st_open(path, E_BAD_CHECKPOINT, &f, &e);
	assert_no_error(&e);
	assert_int_equal(st_count(f), 2);
	assert_memory_equal(st_find(f, "one \"quoted\"")->data, "xy", 2);
	assert_memory_equal(st_find(f, "big")->data, bytes, 3 << 20);
	assert_int_equal((uintptr_t)st_get(f, 0)->data % 8, 0);
	st_free(&f);
}

static int
dir_count(const char *dir)
{
	_cleanup_free_ char *cmd = str_printf("ls -A '%s' | wc -l", dir);
	FILE *p = popen(cmd, "r");
	int n = -1;

	assert_int_equal(fscanf(p, "%d", &n), 1);
	(void)pclose(p);
	return n;
}

TEST(test_write_given_up)
{
	_cleanup_free_ char *dir = fs_join(*state, "given-up"), *path = fs_join(dir, "w.safetensors");
	static const int64_t huge[] = {INT64_MAX, 2};
	struct err e = ERR_INIT;
	struct stw *w = NULL;

	(void)fs_mkdir(dir, 0700, &e);
	(void)stw_new(path, &w, &e);
	(void)stw_add(w, "a", ELEM_U8, 1, &(int64_t){4}, &e);
	(void)stw_begin(w, &e);
	(void)stw_data(w, "ab", 2, &e);
	assert_no_error(&e);
	stw_free(&w);
	assert_int_equal(dir_count(dir), 0);

	(void)stw_new(path, &w, &e);
	assert_int_equal(stw_add(w, "a", ELEM_U8, 2, huge, &e), E_TOO_LARGE);
	stw_free(&w);
}

int
main(void)
{
	return tests_run("safetensors", tmpdir_setup, tmpdir_teardown);
}
