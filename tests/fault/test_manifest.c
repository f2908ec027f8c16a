/*
 * Builds the manifest while memory runs out: jansson's nth allocation fails. Either the call fails and
 * there is no manifest.json, or the manifest is complete; it never lacks a file, a weight or a graph.
 */
#include "../unit/test.h"

#include "../unit/tmpdir.h"
#include "spec/manifest.h"
#include "worker/manifest.h"
#include "worker/processing.h"

static struct {
	bool armed;
	unsigned calls, at;
} fault;

static void *
faulty_malloc(size_t n)
{
	if (fault.armed && ++fault.calls == fault.at)
		return NULL;
	return malloc(n);
}

static void
ok(int r, const struct err *e)
{
	if (r < 0)
		fail_msg("%s: %s", err_name(e->code), e->msg);
}

/* A conversion of a tiny checkpoint: its files are written, its manifest is not. */
static void
conversion_make(struct conversion *c, Colconv__Job *job, char *out_dir, struct err *e)
{
	static const char variants[] = "\"variants\": [\"text\", \"image\"]";
	_cleanup_free_ char *top = realpath(getenv("COLCONV_SOURCE") ? getenv("COLCONV_SOURCE") : ".", NULL);
	_cleanup_free_ char *base = str_printf("%s/tests/golden/colqwen2-tiny", top);
	_cleanup_free_ char *spec = str_printf("{\"model\": \"%s-lora\", %s}", base, variants);
	const struct checkpoint_choice choice = {.base = base};
	const struct onnx_options options = {.output = "embeddings"};
	int v;

	job->out_dir = out_dir;
	*c = (struct conversion){.job = job};
	ok(spec_from_text(spec, "the test", E_USAGE, &c->spec, e), e);
	ok(source_open(&c->source, c->spec.model, NULL, NULL, NULL, e), e);
	conversion_names_set(c);
	ok(conversion_resolve(c, c->spec.model, &choice, e), e);
	ok(prompt_choose(c, e), e);
	ok(onnx_export_new(out_dir, &options, &c->onnx, e), e);
	for (v = 0; v < VARIANT_MAX; v++) {
		if (!(c->spec.variants & 1u << v))
			continue;
		ok(conversion_trace(c, (enum variant)v, &c->graph[v], e), e);
		ok(onnx_export_add(c->onnx, c->graph[v], variant_file((enum variant)v), e), e);
	}
	ok(onnx_export_write(c->onnx, NULL, NULL, e), e);
	ok(sources_open(c->checkpoint, c->readable, NULL, 0, out_dir, &c->sources, e), e);
}

static int
manifest_make(struct conversion *c, unsigned fail_at, struct err *e)
{
	int r;

	assert_int_equal(sources_hash_begin(c->sources, NULL), 0);
	fault.calls = 0;
	fault.at = fail_at;
	fault.armed = true;
	r = manifest_write(c, e);
	fault.armed = false;
	return r;
}

TEST_WITH(test_no_allocation_is_missed, tmpdir_setup, tmpdir_teardown)
{
	_cleanup_free_ char *path = fs_join(*state, MANIFEST_FILE), *whole = NULL;
	Colconv__Job job = COLCONV__JOB__INIT;
	struct conversion c;
	struct err e = ERR_INIT;
	unsigned n, at;
	size_t len;

	conversion_make(&c, &job, *state, &e);
	assert_no_error(&e);
	assert_int_equal(manifest_make(&c, 0, &e), 0);
	n = fault.calls;
	assert_true(n > 100);
	assert_int_equal(fs_read(path, 1 << 20, E_IO, &whole, &len, NULL), 0);
	for (at = 1; at <= n; at++) {
		_cleanup_free_ char *text = NULL;
		struct err why = ERR_INIT;
		size_t text_len;

		assert_int_equal(unlink(path), 0);
		if (manifest_make(&c, at, &why) < 0) {
			assert_int_equal(why.code, E_NO_MEMORY);
			assert_false(fs_exists(path));
			tmpdir_write(*state, MANIFEST_FILE, "", 0);
			continue;
		}
		assert_int_equal(fs_read(path, 1 << 20, E_IO, &text, &text_len, NULL), 0);
		if (!str_eq(text, whole))
			fail_msg("allocation %u of %u failed, and the manifest is another", at, n);
	}
	print_message("%u allocations failed in turn\n", n);
	conversion_release(&c);
}

int
main(void)
{
	json_set_alloc_funcs(faulty_malloc, free);
	return tests_run("manifest", NULL, NULL);
}
