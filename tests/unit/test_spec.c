#include "test.h"

#include "base/fs.h"
#include "base/str.h"
#include "spec/roots.h"
#include "spec/spec.h"

static struct spec spec;
static char field[SPEC_FIELD_LEN];

static int
parse(const char *text, struct err *e)
{
	json_t *j = NULL;
	int r;

	assert_int_equal(json_parse(text, strlen(text), "test", E_BAD_REQUEST, &j, e), 0);
	spec_release(&spec);
	r = spec_from_json(j, &spec, field, e);
	json_decref(j);
	return r;
}

static int
teardown(void **state)
{
	(void)state;
	spec_release(&spec);
	return 0;
}

/* Parses what spec_print() prints. */
static json_t *
printed(void)
{
	struct buf b = BUF_INIT;
	json_t *j;

	spec_print(&spec, &b);
	assert_false(b.failed);
	j = json_loads(b.data, 0, NULL);
	buf_release(&b);
	assert_non_null(j);
	return j;
}

static void
assert_json(const char *want)
{
	json_t *j = printed();
	char *text = json_dumps(j, JSON_SORT_KEYS | JSON_REAL_PRECISION(15));

	assert_string_equal(text, want);
	free(text);
	json_decref(j);
}

TEST_WITH(test_defaults, NULL, teardown)
{
	struct err e = ERR_INIT;

	assert_int_equal(parse("{\"model\": \"/m\"}", &e), 0);
	assert_string_equal(field, "");
	assert_json("{\"adapter\": \"auto\", \"attempts\": 3, \"base\": null, \"cache\": true, \"device\": "
		    "\"auto\", \"dim\": 0, "
		    "\"dtype\": \"fp32\", "
		    "\"head\": \"auto\", \"labels\": {}, \"layout\": "
		    "\"single\", "
		    "\"mask_mode\": \"trained\", \"model\": \"/m\", "
		    "\"outputs\": [\"embeddings\"], \"parity\": {\"max_abs\": 0.0001, \"min_cosine\": "
		    "0.99999, \"min_top5\": 0.0, \"seed\": 1}, "
		    "\"positions\": \"mrope\", \"priority\": 0, \"profile\": \"default\", \"reference\": [], "
		    "\"storage\": \"same\", \"target\": \"portable\", \"task\": \"auto\", \"timeout\": null, "
		    "\"variants\": [\"text\", "
		    "\"image\"]}");
}

TEST_WITH(test_everything, NULL, teardown)
{
	static const char text[] =
		"{\"adapter\": \"merge\", \"attempts\": 10, \"base\": \"/b\", \"cache\": false, \"device\": "
		"\"cuda\", \"dim\": "
		"64, "
		"\"dtype\": \"fp32\", "
		"\"head\": \"mean\", \"labels\": {\"team\": "
		"\"search\"}, \"layout\": \"single\", "
		"\"mask_mode\": \"causal\", \"model\": \"/srv/\\u00fc\", \"outputs\": [\"embeddings\", "
		"\"embeddings_bits\"], \"parity\": {\"max_abs\": 0.5, "
		"\"min_cosine\": 0.25, \"min_top5\": 0.75, \"seed\": "
		"7}, "
		"\"positions\": \"arange\", \"priority\": -100, \"profile\": \"seed\", \"reference\": "
		"[\"/a\", \"/b\"], "
		"\"storage\": \"bf16\", \"target\": \"portable\", \"task\": \"text-matching\", \"timeout\": "
		"2592000, \"variants\": "
		"[\"text\", \"unified\"]}";
	struct err e = ERR_INIT;
	json_t *j, *again;

	assert_int_equal(parse(text, &e), 0);
	j = printed();
	again = json_loads(text, 0, NULL);
	assert_true(json_equal(j, again));
	json_decref(j);
	json_decref(again);

	assert_string_equal(spec.model, "/srv/\u00fc");
	assert_string_equal(spec.base, "/b");
	assert_int_equal(spec.variants, 1u << VARIANT_TEXT | 1u << VARIANT_UNIFIED);
	assert_int_equal(spec.dtype, SPEC_DTYPE_FP32);
	assert_int_equal(spec.storage, SPEC_STORAGE_BF16);
	assert_string_equal(spec_profile(&spec)->name, "seed");
	assert_int_equal(spec.layout, SPEC_LAYOUT_SINGLE);
	assert_int_equal(spec.positions, SPEC_POSITIONS_ARANGE);
	assert_int_equal(spec.mask_mode, SPEC_MASK_MODE_CAUSAL);
	assert_int_equal(spec.dim, 64);
	assert_int_equal(spec.task, SPEC_TASK_TEXT_MATCHING);
	assert_int_equal(spec_head(&spec), HEAD_MEAN);
	assert_int_equal(spec.reference.n, 2);
	assert_string_equal(spec.reference.item[1], "/b");
	assert_true(spec.parity);
	assert_true(spec.max_abs == 0.5 && spec.min_cosine == 0.25);
	assert_int_equal(spec.seed, 7);
	assert_int_equal(spec.priority, -100);
	assert_int_equal(spec.timeout, 2592000);
	assert_int_equal(spec.attempts, 10);
}

TEST_WITH(test_repository, NULL, teardown)
{
	struct err e = ERR_INIT;

	assert_int_equal(parse("{\"model\": \"vidore/colqwen2-v1.0-hf\", \"parity\": false}", &e), 0);
	assert_true(spec_is_repo(spec.model));
	assert_json("{\"adapter\": \"auto\", \"attempts\": 3, \"base\": null, \"cache\": true, \"device\": "
		    "\"auto\", \"dim\": 0, "
		    "\"dtype\": \"fp32\", "
		    "\"head\": \"auto\", \"labels\": {}, \"layout\": "
		    "\"single\", \"mask_mode\": \"trained\", "
		    "\"model\": \"vidore/colqwen2-v1.0-hf\", \"outputs\": [\"embeddings\"], \"parity\": "
		    "false, \"positions\": \"mrope\", "
		    "\"priority\": 0, \"profile\": \"default\", \"reference\": [], \"revision\": \"main\", "
		    "\"storage\": \"same\", \"target\": \"portable\", \"task\": \"auto\", \"timeout\": null, "
		    "\"variants\": [\"text\", \"image\"]}");
	assert_string_equal(spec.revision, "main");
	assert_int_equal(spec_check_roots(&spec, (const char *[]){"/nowhere"}, 1, field, &e), 0);
	assert_int_equal(parse("{\"model\": \"a/b\", \"revision\": \"refs/pr/1\"}", &e), 0);
	assert_string_equal(spec.revision, "refs/pr/1");
}

TEST_WITH(test_parity_off, NULL, teardown)
{
	struct err e = ERR_INIT;

	assert_int_equal(parse("{\"model\": \"/m\", \"parity\": false}", &e), 0);
	assert_json("{\"adapter\": \"auto\", \"attempts\": 3, \"base\": null, \"cache\": true, \"device\": "
		    "\"auto\", \"dim\": 0, "
		    "\"dtype\": \"fp32\", "
		    "\"head\": \"auto\", \"labels\": {}, \"layout\": "
		    "\"single\", \"mask_mode\": \"trained\", \"model\": \"/m\", "
		    "\"outputs\": [\"embeddings\"], \"parity\": false, \"positions\": \"mrope\", "
		    "\"priority\": 0, \"profile\": \"default\", "
		    "\"reference\": [], "
		    "\"storage\": \"same\", \"target\": \"portable\", \"task\": \"auto\", \"timeout\": null, "
		    "\"variants\": [\"text\", "
		    "\"image\"]}");
	assert_int_equal(parse("{\"model\": \"/m\", \"parity\": true}", &e), 0);
	assert_true(spec.parity && spec.seed == 1);
	assert_int_equal(parse("{\"model\": \"/m\", \"dtype\": \"fp16\", \"parity\": {\"max_abs\": 1}}", &e),
			 0);
	assert_true(spec.max_abs == 1 && spec.min_cosine == 0.999);
	assert_int_equal(parse("{\"model\": \"/m\", \"profile\": \"embedanything\"}", &e), 0);
	assert_true(spec.max_abs == 1e-3 && spec.min_cosine == 0.99999);
	assert_int_equal(parse("{\"model\": \"/m\", \"profile\": \"fastembed\"}", &e), 0);
	assert_int_equal(spec.variants, 1u << VARIANT_UNIFIED);
}

TEST_WITH(test_shard_size, NULL, teardown)
{
	static const struct {
		const char *text;
		int64_t size;
	} rows[] = {
		{"{\"model\": \"/m\", \"layout\": \"sharded\"}", 2000000000},
		{"{\"model\": \"/m\", \"layout\": \"sharded\", \"shard_size\": \"1GiB\"}", 1 << 30},
		{"{\"model\": \"/m\", \"layout\": \"sharded\", \"shard_size\": 4096}", 4096},
		{"{\"model\": \"/m\", \"layout\": \"sharded\", \"shard_size\": 1e9}", 1000000000},
		{"{\"model\": \"/m\", \"layout\": \"embedded\"}", 0},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = ERR_INIT;
		json_t *j;

		assert_int_equal(parse(rows[i].text, &e), 0);
		assert_int_equal(spec.shard_size, rows[i].size);
		j = printed();
		spec_release(&spec);
		assert_int_equal(spec_from_json(j, &spec, field, &e), 0);
		json_decref(j);
		assert_int_equal(spec.shard_size, rows[i].size);
	}
}

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16

/* JSON that must be refused, the field that the error names, and a part of its message. */
static const struct {
	const char *text, *field, *words;
} refused[] = {
	{"[]", "", "must be a JSON object"},
	{"{}", "model", "model is missing"},
	{"{\"model\": \"/m\", \"modle\": 1}", "modle", "unknown field 'modle'"},
	{"{\"\u00fc" A64 A16 "aaaaaaaaaaaa\u00fc\": 1}", "\u00fc" A64 A16 "aaaaaaaaaaaa?", "unknown field"},
	{"{\"model\": null}", "model", "model is missing"},
	{"{\"model\": \"/m\", \"dtype\": null}", "dtype", "dtype must not be null"},
	{"{\"model\": \"/m\", \"shard_size\": null}", "shard_size", "must not be null"},
	{"{\"model\": \"/m\", \"parity\": null}", "parity", "must not be null"},
	{"{\"model\": \"/m\", \"parity\": {\"seed\": null}}", "parity.seed", "parity.seed must not be null"},
	{"{\"model\": 3}", "model", "model must be a string"},
	{"{\"model\": \"\"}", "model", "from 1 to 4096 characters, not 0"},
	{"{\"model\": \"m\"}", "model", "an absolute path or a repository OWNER/NAME of the Hub, not 'm'"},
	{"{\"model\": \"a/b/c\"}", "model", "repository"},
	{"{\"model\": \"../b\"}", "model", "repository"},
	{"{\"model\": \"a/b\", \"revision\": 1}", "revision", "must be a string"},
	{"{\"model\": \"a/b\", \"revision\": \"\"}", "revision", "from 1 to 128 characters, not 0"},
	{"{\"model\": \"a/b\", \"revision\": \"../x\"}", "revision", "not '../x'"},
	{"{\"model\": \"/m\", \"revision\": \"main\"}", "revision", "model is a folder"},
	{"{\"model\": \"/a\\nb\"}", "model", "control characters"},
	{"{\"model\": \"/a\\u007fb\"}", "model", "control characters"},
	{"{\"model\": \"/a\\u009b31mb\"}", "model", "control characters"},
	{"{\"model\": \"/a\\u202eb\"}", "model", "direction marks"},
	{"{\"model\": \"/a\\u2028b\"}", "model", "line separators"},
	{"{\"model\": \"/m\", \"labels\": {\"a\\u2066\": \"x\"}}", "labels", "direction marks"},
	{"{\"model\": \"/m\", \"labels\": {\"a\": \"x\\u0085y\"}}", "labels.a", "control characters"},
	{"{\"model\": \"/m\", \"labels\": {\"a\": \"x\\u200fy\"}}", "labels.a", "direction marks"},
	{"{\"model\": \"/m\", \"base\": 3}", "base", "base must be a string"},
	{"{\"model\": \"/m\", \"base\": \"b\"}", "base",
	 "an absolute path or a repository OWNER/NAME of the Hub, not 'b'"},
	{"{\"model\": \"/m\", \"variants\": \"text\"}", "variants", "must be an array"},
	{"{\"model\": \"/m\", \"variants\": []}", "variants", "at least one member"},
	{"{\"model\": \"/m\", \"variants\": [1]}", "variants[0]", "must be a string"},
	{"{\"model\": \"/m\", \"variants\": [\"text\", \"fp32\"]}", "variants[1]",
	 "must be one of text, image, unified, preprocess, page, not 'fp32'"},
	{"{\"model\": \"/m\", \"variants\": [\"text\", \"text\"]}", "variants[1]", "a second time"},
	{"{\"model\": \"/m\", \"dtype\": \"fp8\"}", "dtype", "dtype must be one of fp32, fp16, not 'fp8'"},
	{"{\"model\": \"/m\", \"dtype\": 32}", "dtype", "must be a string"},
	{"{\"model\": \"/m\", \"storage\": \"fp32\"}", "storage", "one of same, bf16, int8, not 'fp32'"},
	{"{\"model\": \"/m\", \"dtype\": \"fp16\", \"storage\": \"bf16\"}", "storage",
	 "needs the dtype fp32, not fp16"},
	{"{\"model\": \"/m\", \"outputs\": [\"embeddings_bits\"]}", "outputs", "must include embeddings"},
	{"{\"model\": \"/m\", \"outputs\": [\"embeddings\", \"is_image_token\"], \"profile\": \"fastembed\"}",
	 "outputs", "the profile fastembed needs the output embeddings and no other"},
	{"{\"model\": \"/m\", \"layout\": \"odd\"}", "layout", "one of single, sharded, embedded, not 'odd'"},
	{"{\"model\": \"/m\", \"shard_size\": 4096}", "shard_size", "needs the layout sharded, not single"},
	{"{\"model\": \"/m\", \"layout\": \"sharded\", \"shard_size\": 4095}", "shard_size",
	 "at least 4096 bytes"},
	{"{\"model\": \"/m\", \"layout\": \"sharded\", \"shard_size\": -1}", "shard_size",
	 "at least 4096 bytes"},
	{"{\"model\": \"/m\", \"layout\": \"sharded\", \"shard_size\": 4096.5}", "shard_size",
	 "a number of bytes or a string"},
	{"{\"model\": \"/m\", \"layout\": \"sharded\", \"shard_size\": \"2 G\\n\"}", "shard_size",
	 "a size such as"},
	{"{\"model\": \"/m\", \"profile\": \"x\"}", "profile",
	 "one of default, seed, fastembed, embedanything, transformers, sentence-transformers, "
	 "transformersjs, optimum, not 'x'"},
	{"{\"model\": \"/m\", \"profile\": \"fastembed\", \"variants\": [\"text\", \"unified\"]}", "variants",
	 "needs the variant unified and no other"},
	{"{\"model\": \"/m\", \"profile\": \"fastembed\", \"layout\": \"embedded\"}", "layout",
	 "needs the layout single, not embedded"},
	{"{\"model\": \"/m\", \"positions\": \"x\"}", "positions", "one of mrope, arange, not 'x'"},
	{"{\"model\": \"/m\", \"head\": \"pooled\"}", "head",
	 "one of auto, multi-vector, last-token, mean, cls, image-mean, not 'pooled'"},
	{"{\"model\": \"/m\", \"dim\": -1}", "dim", "dim must be from 0 to 65536, not -1"},
	{"{\"model\": \"/m\", \"mask_mode\": \"x\"}", "mask_mode",
	 "one of trained, causal, bidirectional, not 'x'"},
	{"{\"model\": \"/m\", \"reference\": \"/a\"}", "reference", "must be an array"},
	{"{\"model\": \"/m\", \"reference\": [\"/a\", \"b\"]}", "reference[1]", "absolute path"},
	{"{\"model\": \"/m\", \"reference\": [\"/a\", 1]}", "reference[1]", "must be a string"},
	{"{\"model\": \"/m\", \"parity\": 1}", "parity", "true, false or an object"},
	{"{\"model\": \"/m\", \"parity\": {\"seeds\": 1}}", "parity.seeds", "unknown field 'parity.seeds'"},
	{"{\"model\": \"/m\", \"parity\": {\"max_abs\": -1}}", "parity.max_abs", "at least 0"},
	{"{\"model\": \"/m\", \"parity\": {\"max_abs\": \"1\"}}", "parity.max_abs", "must be a number"},
	{"{\"model\": \"/m\", \"parity\": {\"min_cosine\": 1.5}}", "parity.min_cosine", "from -1 to 1"},
	{"{\"model\": \"/m\", \"parity\": {\"seed\": -1}}", "parity.seed",
	 "from 0 to 9223372036854775807, not -1"},
	{"{\"model\": \"/m\", \"parity\": {\"seed\": 1.5}}", "parity.seed", "a whole number"},
	{"{\"model\": \"/m\", \"parity\": {\"seed\": 9223372036854775808.0}}", "parity.seed",
	 "a whole number"},
	{"{\"model\": \"/m\", \"parity\": {\"seed\": -1e300}}", "parity.seed", "a whole number"},
	{"{\"model\": \"/m\", \"priority\": -101}", "priority",
	 "priority must be from -100 to 100, not -101"},
	{"{\"model\": \"/m\", \"priority\": 101}", "priority", "from -100 to 100"},
	{"{\"model\": \"/m\", \"priority\": \"high\"}", "priority", "a whole number"},
	{"{\"model\": \"/m\", \"timeout\": 0}", "timeout", "from 1 to 2592000, not 0"},
	{"{\"model\": \"/m\", \"timeout\": 2592001}", "timeout", "from 1 to 2592000"},
	{"{\"model\": \"/m\", \"timeout\": 1.5}", "timeout", "a whole number"},
	{"{\"model\": \"/m\", \"attempts\": 0}", "attempts", "from 1 to 10, not 0"},
	{"{\"model\": \"/m\", \"attempts\": 11}", "attempts", "from 1 to 10"},
	{"{\"model\": \"/m\", \"attempts\": true}", "attempts", "a whole number"},
	{"{\"model\": \"/m\", \"labels\": [\"a\"]}", "labels", "must be an object"},
	{"{\"model\": \"/m\", \"labels\": {\"a\": 1}}", "labels.a", "must be a string"},
	{"{\"model\": \"/m\", \"labels\": {\"\": \"x\"}}", "labels", "from 1 to 64 characters"},
	{"{\"model\": \"/m\", \"labels\": {\"a\": \"x\\ty\"}}", "labels.a", "control characters"},
	{"{\"model\": \"/m\", \"labels\": {\"" A64 "a\": \"x\"}}", "labels", "not 65"},
	{"{\"model\": \"/m\", \"labels\": {\"a\": \"" A64 "\u00fc\"}}", "labels.a", "not 65"},
};

TEST_WITH(test_refused, NULL, teardown)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(refused); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(parse(refused[i].text, &e), E_BAD_REQUEST);
		assert_error(&e, E_BAD_REQUEST, refused[i].words);
		assert_string_equal(field, refused[i].field);
	}
}

/* Equal specs are printed as equal texts, however they were written. */
TEST_WITH(test_sha256, NULL, teardown)
{
	static const char *const same[] = {
		"{\"model\": \"/m\", \"labels\": {\"a\": \"1\", \"b\": \"2\"}}",
		"{\"labels\": {\"b\": \"2\", \"a\": \"1\"}, \"dtype\": \"fp32\", \"model\": \"\\u002fm\", "
		"\"timeout\": null}",
	};
	char first[SHA256_HEX_LEN + 1], second[SHA256_HEX_LEN + 1];
	struct err e = ERR_INIT;

	assert_int_equal(parse(same[0], &e), 0);
	assert_int_equal(spec_sha256(&spec, first, &e), 0);
	assert_int_equal(parse(same[1], &e), 0);
	assert_int_equal(spec_sha256(&spec, second, &e), 0);
	assert_string_equal(first, second);
	assert_int_equal(parse("{\"model\": \"/m\", \"labels\": {\"a\": \"2\", \"b\": \"1\"}}", &e), 0);
	assert_int_equal(spec_sha256(&spec, second, &e), 0);
	assert_string_not_equal(first, second);
}

static json_t *
job_json(void)
{
	return json_pack("{s:s}", "model", "/m");
}

static void
assert_refused_take(json_t *j, const char *want_field, const char *words)
{
	struct err e = ERR_INIT;

	assert_int_equal(spec_from_json(j, &spec, field, &e), E_BAD_REQUEST);
	assert_error(&e, E_BAD_REQUEST, words);
	assert_string_equal(field, want_field);
	json_decref(j);
}

TEST_WITH(test_caps, NULL, teardown)
{
	char path[SPEC_PATH_MAX + 2];
	json_t *j, *list;
	int i;

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[SPEC_PATH_MAX + 1] = '\0';
	assert_refused_take(json_pack("{s:s}", "model", path), "model", "not 4097");
	assert_refused_take(json_pack("{s:s#}", "model", "/a\0b", 4), "model", "control characters");

	assert_refused_take(json_pack("{s:s#}", "model", "a/b\0c", 5), "model", "repository");
	assert_refused_take(json_pack("{s:s, s:s#}", "model", "a/b", "revision", "x\0y", 3), "revision",
			    "control characters");

	j = job_json();
	list = json_array();
	for (i = 0; i <= spec_fields[SPEC_FIELD_REFERENCE].most; i++)
		(void)json_array_append_new(list, json_string("/r"));
	(void)json_object_set_new(j, "reference", list);
	assert_refused_take(j, "reference", "at most 64 paths, not 65");

	j = job_json();
	list = json_object();
	for (i = 0; i <= spec_fields[SPEC_FIELD_LABELS].most; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "l%d", i);
		(void)json_object_set_new(list, name, json_string("x"));
	}
	(void)json_object_set_new(j, "labels", list);
	assert_refused_take(j, "labels", "at most 16 members, not 17");
}

static char *
path_in(const char *dir, const char *name)
{
	char *path = fs_join(dir, name);

	assert_non_null(path);
	return path;
}

static int
roots_check(const char *model, const char *const *roots, size_t n, struct err *e)
{
	struct spec s = {.model = (char *)(uintptr_t)model};

	err_clear(e);
	return spec_check_roots(&s, roots, n, field, e);
}

TEST_WITH(test_roots, NULL, teardown)
{
	char top[] = "/tmp/test_spec.XXXXXX";
	struct err e = ERR_INIT;
	_cleanup_free_ char *a = NULL, *b = NULL, *in = NULL, *out = NULL, *file = NULL, *up = NULL,
			    *dots = NULL, *gone = NULL, *sibling = NULL;
	const char *roots[2];

	assert_non_null(mkdtemp(top));
	a = path_in(top, "a");
	b = path_in(top, "b");
	in = path_in(top, "a/in");
	out = path_in(top, "a/out");
	up = path_in(top, "a/up");
	file = path_in(top, "a/file");
	dots = path_in(top, "a/m/../../b");
	gone = path_in(top, "a/gone");
	sibling = path_in(top, "ab");
	assert_int_equal(fs_mkdir(a, 0700, &e), 0);
	assert_int_equal(fs_mkdir(b, 0700, &e), 0);
	{
		_cleanup_free_ char *m = path_in(top, "a/m");
		assert_int_equal(fs_mkdir(m, 0700, &e), 0);
	}
	assert_int_equal(symlink("m", in), 0);
	assert_int_equal(symlink(b, out), 0);
	assert_int_equal(symlink("../b", up), 0);
	assert_int_equal(fs_write_file(file, "", 0, &e), 0);

	roots[0] = a;
	roots[1] = top;
	assert_int_equal(roots_check("/anywhere", NULL, 0, &e), 0);
	assert_int_equal(roots_check(a, roots, 1, &e), 0);
	assert_int_equal(roots_check(in, roots, 1, &e), 0);
	assert_string_equal(field, "");
	assert_int_equal(roots_check(b, roots, 1, &e), E_NOT_ALLOWED);
	assert_string_equal(field, "model");
	assert_error(&e, E_NOT_ALLOWED, "model: '");
	assert_int_equal(roots_check(sibling, roots, 1, &e), E_NOT_ALLOWED);
	assert_int_equal(roots_check(out, roots, 1, &e), E_NOT_ALLOWED);
	assert_int_equal(roots_check(up, roots, 1, &e), E_NOT_ALLOWED);
	assert_error(&e, E_NOT_ALLOWED, "leads out of");
	assert_int_equal(roots_check(dots, roots, 1, &e), E_NOT_ALLOWED);
	assert_int_equal(roots_check("/proc/self/root", (const char *[]){"/proc"}, 1, &e), E_BAD_REQUEST);
	assert_int_equal(roots_check(up, roots, 2, &e), 0);
	assert_int_equal(roots_check(gone, roots, 1, &e), E_BAD_REQUEST);
	assert_error(&e, E_BAD_REQUEST, "No such file");
	assert_int_equal(roots_check(file, roots, 1, &e), E_BAD_REQUEST);
	assert_error(&e, E_BAD_REQUEST, "Not a directory");
	assert_int_equal(roots_check("/tmp", (const char *[]){"/"}, 1, &e), 0);
	err_clear(&e);
	assert_int_equal(spec_check_roots(&(struct spec){.model = a, .base = b}, roots, 1, field, &e),
			 E_NOT_ALLOWED);
	assert_string_equal(field, "base");

	assert_int_equal(fs_remove(top, NULL), 0);
}

int
main(void)
{
	return tests_run("spec", NULL, NULL);
}
