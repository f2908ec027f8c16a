#include "test.h"

#include <math.h>

#include "base/fs.h"
#include "base/str.h"
#include "case_file.h"
#include "parity/cases.h"

static char dir[] = "/tmp/colconv-cases-XXXXXX";

static const int64_t mask[] = {1, 1, 0, 0, 1, 1};
static const float embeddings[] = {1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8};
static const float pixels[] = {0.5f};

#define MASK CASE_TENSOR("in.attention_mask", "I64", "[2, 3]", mask)
#define EMBEDDINGS CASE_TENSOR("out.embeddings", "F32", "[2, 3, 2]", embeddings)

static char *
write_case(const char *name, const struct case_tensor *t, size_t count)
{
	char *path = fs_join(dir, name);

	assert_non_null(path);
	case_file_write(path, t, count);
	return path;
}

TEST(test_good)
{
	const struct case_tensor t[] = {MASK, EMBEDDINGS,
					CASE_TENSOR("in.pixel_values", "F32", "[1]", pixels),
					CASE_TENSOR("mid.x", "F32", "[1]", pixels)};
	_cleanup_free_ char *path = write_case("case-im\tage.safetensors", t, ARRAY_LEN(t));
	_cleanup_free_ char *other = write_case("mine", t, 2);
	_cleanup_(cases_release) struct cases l = CASES_INIT;
	struct err e = ERR_INIT;
	struct parity_case *c;

	(void)cases_add_file(&l, path, "embeddings", &e);
	(void)cases_add_file(&l, other, "embeddings", &e);
	assert_no_error(&e);
	assert_int_equal(l.count, 2);
	c = &l.items[0];
	assert_string_equal(c->name, "im?age");
	assert_true(c->batch == 2 && c->tokens == 3 && c->dim == 2);
	assert_memory_equal(c->want, embeddings, sizeof(embeddings));
	assert_true(c->valid[1] && !c->valid[2] && !c->valid[3]);
	assert_true(c->has_pixels);
	assert_true(case_input_find(c, "pixel_values")->count == 1);
	assert_null(case_input_find(c, "x"));
	assert_string_equal(l.items[1].name, "mine");
	assert_false(l.items[1].has_pixels);
}

TEST(test_expect)
{
	const struct case_tensor t[] = {MASK, CASE_TENSOR("out.other", "F32", "[2, 3, 2]", embeddings)};
	_cleanup_free_ char *path = write_case("expect", t, ARRAY_LEN(t));
	_cleanup_(cases_release) struct cases l = CASES_INIT;
	struct err e = ERR_INIT;

	(void)cases_add_file(&l, path, "other", &e);
	assert_no_error(&e);
	assert_int_equal(cases_add_file(&l, path, "embeddings", &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "tensor 'out.embeddings' is missing");
	assert_int_equal(l.count, 1);
}

/*
 * One vector for each row. It is compared if at least one token of the row is unmasked. Both names of the output
 * are accepted.
 */
TEST(test_one_each)
{
	static const int64_t none_in_second[] = {1, 0, 1, 0, 0, 0};
	static const char *const names[] = {"embedding", "embeddings"};
	_cleanup_(cases_release) struct cases l = CASES_INIT;
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		const struct case_tensor t[] = {
			CASE_TENSOR("in.attention_mask", "I64", "[2, 3]", none_in_second),
			CASE_TENSOR(i ? "out.embedding" : "out.embeddings", "F32", "[2, 6]", embeddings)};
		_cleanup_free_ char *path = write_case("one-each", t, ARRAY_LEN(t));
		const struct parity_case *c;

		(void)cases_add_file(&l, path, names[i], &e);
		assert_no_error(&e);
		c = &l.items[i];
		assert_true(c->one_each && c->batch == 2 && c->tokens == 1 && c->dim == 6);
		assert_true(c->valid[0] && !c->valid[1]);
	}
}

/* Case files that must be refused, and the error for each. */
TEST(test_refused)
{
	static const float nan_values[] = {1, 2, 3, 4, 0, NAN, 0, 0, 5, 6, 7, 8};
	static const int64_t twos[] = {1, 1, 2, 0, 1, 1};
	static const struct {
		const char *words;
		struct case_tensor t[2];
	} rows[] = {
		{"tensor 'out.embeddings' is missing",
		 {MASK, CASE_TENSOR("out.x", "F32", "[2, 3, 2]", embeddings)}},
		{"tensor 'in.attention_mask' is missing",
		 {EMBEDDINGS, CASE_TENSOR("in.x", "I64", "[2, 3]", mask)}},
		{"must be F32 with 3 dims, not I64 with 3",
		 {MASK, CASE_TENSOR("out.embeddings", "I64", "[1, 3, 2]", mask)}},
		{"must be F32 with 3 dims, not F32 with 1",
		 {MASK, CASE_TENSOR("out.embeddings", "F32", "[12]", embeddings)}},
		{"has 2 rows of 3 tokens, but the embeddings have 6",
		 {MASK, CASE_TENSOR("out.embeddings", "F32", "[6, 2]", embeddings)}},
		{"must be I64 with 2 dims, not I64 with 1",
		 {EMBEDDINGS, CASE_TENSOR("in.attention_mask", "I64", "[6]", mask)}},
		{"must be I64 with 2 dims, not F32 with 2",
		 {EMBEDDINGS, CASE_TENSOR("in.attention_mask", "F32", "[2, 6]", embeddings)}},
		{"has 3 rows of 2 tokens, but the embeddings have 2 of 3",
		 {EMBEDDINGS, CASE_TENSOR("in.attention_mask", "I64", "[3, 2]", mask)}},
		{"'out.embeddings' is empty", {MASK, {"out.embeddings", "F32", "[2, 0, 2]", "", 0}}},
		{"holds NaN or infinity",
		 {MASK, CASE_TENSOR("out.embeddings", "F32", "[2, 3, 2]", nan_values)}},
		{"in.attention_mask holds 2, not only 0 and 1",
		 {EMBEDDINGS, CASE_TENSOR("in.attention_mask", "I64", "[2, 3]", twos)}},
	};
	_cleanup_(cases_release) struct cases l = CASES_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *path = write_case("refused", rows[i].t, ARRAY_LEN(rows[i].t));
		struct err e = ERR_INIT;

		assert_int_equal(cases_add_file(&l, path, "embeddings", &e), E_BAD_REFERENCE);
		assert_error(&e, E_BAD_REFERENCE, rows[i].words);
		assert_error(&e, E_BAD_REFERENCE, path);
	}
	assert_int_equal(l.count, 0);
}

TEST(test_no_file)
{
	_cleanup_(cases_release) struct cases l = CASES_INIT;
	struct err e = ERR_INIT;

	assert_int_equal(cases_add_file(&l, "/nonexistent/x", "embeddings", &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "/nonexistent/x");
	err_clear(&e);
	assert_int_equal(cases_add_dir(&l, "/nonexistent", "embeddings", &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "cannot read the folder '/nonexistent'");
}

TEST(test_other_dim)
{
	const struct case_tensor a[] = {MASK, EMBEDDINGS};
	const struct case_tensor b[] = {
		MASK, {"out.embeddings", "F32", "[2, 3, 1]", embeddings, 6 * sizeof(float)}};
	_cleanup_free_ char *pa = write_case("a", a, 2), *pb = write_case("b", b, 2);
	_cleanup_(cases_release) struct cases l = CASES_INIT;
	struct err e = ERR_INIT;

	(void)cases_add_file(&l, pa, "embeddings", &e);
	assert_no_error(&e);
	assert_int_equal(cases_add_file(&l, pb, "embeddings", &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "has embeddings of 1 elements");
}

TEST(test_dir)
{
	const struct case_tensor t[] = {MASK, EMBEDDINGS};
	_cleanup_free_ char *sub = fs_join(dir, "sub");
	_cleanup_(cases_release) struct cases l = CASES_INIT;
	struct err e = ERR_INIT;

	(void)fs_mkdir(sub, 0755, &e);
	assert_int_equal(cases_add_dir(&l, sub, "embeddings", &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "holds no case-*.safetensors");
	err_clear(&e);
	free(write_case("sub/case-b.safetensors", t, 2));
	free(write_case("sub/case-a.safetensors", t, 2));
	free(write_case("sub/model.safetensors", t, 1));
	(void)cases_add_dir(&l, sub, "embeddings", &e);
	assert_no_error(&e);
	assert_int_equal(l.count, 2);
	assert_string_equal(l.items[0].name, "a");
	assert_string_equal(l.items[1].name, "b");
	free(write_case("sub/case-c.safetensors", t, 1));
	assert_int_equal(cases_add_dir(&l, sub, "embeddings", &e), E_BAD_REFERENCE);
	assert_error(&e, E_BAD_REFERENCE, "case-c.safetensors': tensor 'out.embeddings' is missing");
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	return fs_remove(dir, /*e=*/NULL);
}

int
main(void)
{
	return tests_run("cases", setup, teardown);
}
