#include <errno.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli.h"
#include "client/show/fact.h"
#include "client/show/job.h"
#include "onnx/inspect.h"
#include "client/show/table.h"
#include "client/show/text.h"
#include "signature.h"
#include "spec/manifest.h"
#include "tree.h"
#include "verify.h"

struct inspect {
	const char *dir;
	json_t *doc;            /* what --json prints: "path", the four below and "extra" */
	const json_t *manifest; /* its facts, in "manifest"; NULL: a file alone */
	json_t *files;          /* [{"name", "size"}]; size is null for a missing file */
	json_t *graphs;         /* of onnx_inspect(), each with "file" */
	json_t *problems;       /* sentences */
	bool check;             /* --verify: check hashes too, and print only the verdict */
	const char *public_key; /* path of a key to check the signature with; NULL: do not */
};

/* ---- reading ---- */

static int
graph_read(struct inspect *x, const char *name, struct err *e)
{
	_cleanup_free_ char *path = fs_join(x->dir, name);
	json_t *graph;
	int r;

	if (!path)
		return err_no_memory(e);
	r = onnx_inspect(path, &graph, e);
	if (r < 0)
		return r;
	(void)json_object_set_new(graph, "file", json_string(name));
	return json_array_append_new(x->graphs, graph) < 0 ? err_no_memory(e) : 0;
}

/* With --verify a damaged graph is a result; otherwise it is an error. */
static int
graph_look(struct inspect *x, const char *name, struct err *e)
{
	struct err what = ERR_INIT;
	int r = graph_read(x, name, &what);

	if (r == E_BAD_ONNX && x->check)
		return problem_add(x->problems, &what, e);
	return r < 0 ? err_set(e, r, "%s", what.msg) : 0;
}

static int
folder_read(struct inspect *x, struct err *e)
{
	json_t *file;
	size_t i;
	int r;

	r = tree_list(x->dir, x->files, e);
	json_array_foreach(x->files, i, file)
		if (r == 0 && str_ends(job_str(file, "name"), ".onnx"))
			r = graph_look(x, job_str(file, "name"), e);
	return r;
}

static int
artifact_read(struct inspect *x, struct err *e)
{
	_cleanup_free_ char *path = fs_join(x->dir, MANIFEST_FILE);
	json_auto_t *manifest = NULL;
	int r;

	if (!path)
		return err_no_memory(e);
	if (!fs_exists(path))
		return err_set(e, E_USAGE, "'%s' has no " MANIFEST_FILE ": it is not an artifact", x->dir);
	r = json_read(path, MANIFEST_LEN_MAX, E_MISMATCH, &manifest, e);
	if (r < 0)
		return r;
	x->manifest = manifest_facts(manifest);
	(void)json_object_set(x->doc, "manifest", (json_t *)(uintptr_t)x->manifest);
	return folder_read(x, e);
}

static int
file_read(struct inspect *x, const char *name, struct err *e)
{
	json_t *data;
	size_t i;
	int r;

	r = graph_read(x, name, e);
	if (r == 0)
		r = tree_add(x->dir, name, x->files, e);
	json_array_foreach(json_object_get(json_array_get(x->graphs, 0), "data"), i, data)
		if (r == 0)
			r = tree_add(x->dir, job_str(data, "name"), x->files, e);
	return r;
}

/* ---- checks ---- */

static bool
is_listed(const json_t *manifest, const char *name)
{
	json_t *listed;
	size_t i;

	json_array_foreach(json_object_get(manifest, "files"), i, listed)
		if (str_eq(job_str(listed, "name"), name))
			return true;
	return str_eq(name, MANIFEST_FILE) || str_eq(name, SIGNATURE_FILE);
}

/* Gives each file the hash that the manifest lists: verify_manifest() compared it with the file's already. */
static void
hashes_take(const struct inspect *x)
{
	json_t *listed, *file;
	size_t i;

	json_array_foreach(json_object_get(x->manifest, "files"), i, listed) {
		file = tree_find(x->files, job_str(listed, "name"));
		if (file)
			(void)json_object_set(file, "sha256", json_object_get(listed, "sha256"));
	}
}

static int
signature_verify(const struct inspect *x, struct err *e)
{
	_cleanup_(ec_key_free) struct ec_key *key = NULL;
	struct err what = ERR_INIT;
	int r;

	r = ec_key_read_public(x->public_key, &key, e);
	if (r < 0)
		return r;
	hashes_take(x);
	r = tree_hash(x->dir, x->files, /*bar=*/NULL, &what);
	if (r == E_MISMATCH)
		return problem_add(x->problems, &what, e);
	return r < 0 ? err_set(e, r, "%s", what.msg) : signature_check(x->dir, x->files, key, x->problems, e);
}

static int
verify(const struct inspect *x, struct err *e)
{
	json_t *extra = json_array(), *item;
	struct board board;
	struct bar bar;
	size_t i;
	int r = 0;

	(void)json_object_set_new(x->doc, "extra", extra);
	if (x->manifest && x->check) {
		board_init(&board, stderr);
		bar_init(&bar, &board, "inspect");
		bar_stage(&bar, "verify", loop_now_ms());
		r = verify_manifest(x->dir, x->manifest, &bar, x->problems, e);
		bar_end(&bar, loop_now_ms());
	} else if (x->manifest) {
		r = verify_manifest(x->dir, x->manifest, /*bar=*/NULL, x->problems, e);
	}
	if (r == 0 && x->public_key)
		r = signature_verify(x, e);
	json_array_foreach(x->files, i, item)
		if (x->manifest && !is_listed(x->manifest, job_str(item, "name")))
			(void)json_array_append(extra, json_object_get(item, "name"));
	json_array_foreach(x->graphs, i, item)
		if (r == 0)
			r = verify_data(x->dir, item, x->problems, e);
	return r;
}

/* ---- printing ---- */

static void
size_add(struct table *t, const json_t *row, const char *key)
{
	char bytes[16];

	if (json_is_integer(json_object_get(row, key)))
		table_add(t, "%s", str_bytes(job_whole(row, key), bytes, sizeof(bytes)));
	else
		table_add(t, "missing");
}

static int
files_print(const json_t *files, struct err *e)
{
	static const struct table_column columns[] = {{"FILE", TABLE_LEFT}, {"SIZE", TABLE_RIGHT}};
	_cleanup_(table_release) struct table t;
	json_t *row;
	size_t i;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach(files, i, row) {
		table_add(&t, "%s", job_str(row, "name"));
		size_add(&t, row, "size");
	}
	return table_print(&t, stdout, text_columns(stdout), e);
}

/* "[batch, sequence, 128]" */
static char *
shape_str(const json_t *shape)
{
	struct buf b = BUF_INIT;
	json_t *dim;
	size_t i;

	buf_puts(&b, "[");
	json_array_foreach(shape, i, dim) {
		buf_puts(&b, i ? ", " : "");
		if (json_is_integer(dim))
			buf_printf(&b, "%" JSON_INTEGER_FORMAT, json_integer_value(dim));
		else
			buf_puts(&b, json_is_string(dim) ? json_string_value(dim) : "?");
	}
	buf_puts(&b, "]");
	return buf_take(&b);
}

static void
values_add(struct table *t, const char *what, const json_t *values)
{
	json_t *v;
	size_t i;

	json_array_foreach(values, i, v) {
		_cleanup_free_ char *shape = shape_str(json_object_get(v, "shape"));

		table_add(t, "%s", what);
		table_add(t, "%s", job_str(v, "name"));
		table_add(t, "%s", job_str(v, "type"));
		table_add(t, "%s", shape ? shape : "");
	}
}

static int
values_print(const json_t *graph, struct err *e)
{
	static const struct table_column columns[] = {
		{"", TABLE_LEFT}, {"NAME", TABLE_LEFT}, {"TYPE", TABLE_LEFT}, {"SHAPE", TABLE_LEFT}};
	_cleanup_(table_release) struct table t;

	table_init(&t, columns, ARRAY_LEN(columns));
	values_add(&t, "input", json_object_get(graph, "inputs"));
	values_add(&t, "output", json_object_get(graph, "outputs"));
	return table_print(&t, stdout, text_columns(stdout), e);
}

static int
layers_print(const json_t *layers, struct err *e)
{
	static const struct table_column columns[] = {
		{"LAYER", TABLE_LEFT}, {"WEIGHTS", TABLE_RIGHT}, {"SIZE", TABLE_RIGHT}};
	_cleanup_(table_release) struct table t;
	json_t *row;
	size_t i;

	if (json_array_size(layers) == 0)
		return 0;
	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach(layers, i, row) {
		table_add(&t, "%s", job_str(row, "name"));
		table_add(&t, "%" PRIu64, job_whole(row, "count"));
		size_add(&t, row, "bytes");
	}
	(void)fputc('\n', stdout);
	return table_print(&t, stdout, text_columns(stdout), e);
}

/* "491: 96 MatMul, 71 Add, ..." */
static void
nodes_print(const json_t *graph)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	json_t *op;
	size_t i;

	buf_printf(&b, "%" PRIu64, job_whole(graph, "nodes"));
	json_array_foreach(json_object_get(graph, "ops"), i, op)
		buf_printf(&b, "%s%" PRIu64 " %s", i ? ", " : ": ", job_whole(op, "count"),
			   job_str(op, "type"));
	fact_print("nodes", b.data ? b.data : "");
}

static int
graph_print(const json_t *graph, struct err *e)
{
	int r;

	(void)fputc('\n', stdout);
	fact_member(graph, "file");
	fact_member(graph, "name");
	fact_member(graph, "producer");
	fact_member(graph, "opsets");
	if (json_is_string(json_object_get(graph, "onnxruntime")))
		fact_member(graph, "onnxruntime");
	nodes_print(graph);
	(void)fputc('\n', stdout);
	r = values_print(graph, e);
	return r < 0 ? r : layers_print(json_object_get(graph, "layers"), e);
}

/* How far a ranking by the graphs is from the original's. */
static void
ranking_fact(const json_t *ranking)
{
	_cleanup_free_ char *said =
		str_printf("%" PRIu64 " queries by %s, %" PRIu64
			   " documents: Kendall's tau %.4f, top-1 %.4f, top-5 %.4f",
			   job_whole(ranking, "queries"), job_str(ranking, "queries_model"),
			   job_whole(ranking, "documents"), job_number(ranking, "mean_tau"),
			   job_number(ranking, "top1"), job_number(ranking, "top5"));

	fact_print("ranking", said ? said : "");
}

static void
rounding_fact(const json_t *rounding)
{
	_cleanup_free_ char *said = NULL;

	if (!json_is_object(rounding))
		return;
	said = str_printf("%" PRIu64 " weights to 8 bits, %zu of them kept in float16",
			  job_whole(rounding, "matrices"),
			  json_array_size(json_object_get(rounding, "kept")));
	fact_print("rounding", said ? said : "");
}

/* The worst figures of an output beside the embeddings. */
static void
output_fact(const char *name, const json_t *worst)
{
	_cleanup_free_ char *said =
		json_object_get(worst, "differing")
			? str_printf("%" PRIu64 " elements differ", job_whole(worst, "differing"))
			: str_printf("max abs %.2g, min cosine %.8f", job_number(worst, "max_abs"),
				     job_number(worst, "min_cosine"));

	fact_print(name, said ? said : "");
}

static void
manifest_print(const json_t *manifest)
{
	static const char *const tops[] = {"architecture", "parameters", "versions"};
	const json_t *parity = json_object_get(manifest, "parity"), *worst = json_object_get(parity, "worst");
	const char *key;
	json_t *value, *ranking;
	size_t i;

	for (i = 0; i < ARRAY_LEN(tops); i++)
		fact_member(manifest, tops[i]);
	json_object_foreach(json_object_get(manifest, "source"), key, value)
		if (json_is_string(value))
			fact_print(key, json_string_value(value));
	json_object_foreach(json_object_get(manifest, "options"), key, value)
		fact_member(json_object_get(manifest, "options"), key);
	fact_print("parity", !json_is_object(parity)                           ? "not checked"
			     : json_is_true(json_object_get(parity, "passed")) ? "passed"
									       : "FAILED");
	fact_member(worst, "max_abs");
	fact_member(worst, "min_cosine");
	json_object_foreach(json_object_get(parity, "outputs"), key, value)
		output_fact(key, json_object_get(value, "worst"));
	json_array_foreach(json_object_get(parity, "ranking"), i, ranking)
		ranking_fact(ranking);
	rounding_fact(json_object_get(manifest, "rounding"));
	(void)fputc('\n', stdout);
}

static int
print(const struct inspect *x, struct err *e)
{
	json_t *item;
	size_t i;
	int r;

	if (x->manifest)
		manifest_print(x->manifest);
	r = files_print(x->files, e);
	json_array_foreach(x->graphs, i, item)
		if (r == 0)
			r = graph_print(item, e);
	return r;
}

/* "'DIR' is whole: 9 files, 6.17 GB", or that it is damaged. */
static void
verdict_print(const struct inspect *x, const char *path)
{
	const size_t n = json_array_size(x->problems);
	uint64_t bytes = 0;
	char s[16];
	json_t *row;
	size_t i;

	json_array_foreach(x->files, i, row)
		bytes += job_whole(row, "size");
	(void)fputc('\'', stdout);
	text_print(stdout, path);
	if (n)
		(void)printf("' is damaged: %zu problem%s\n", n, n > 1 ? "s" : "");
	else
		(void)printf("' is whole: %zu file%s, %s\n", json_array_size(x->files),
			     json_array_size(x->files) > 1 ? "s" : "", str_bytes(bytes, s, sizeof(s)));
}

/* Prints the result of the checks, and returns the exit status. */
static int
problems_tell(const struct inspect *x)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(x->doc, "extra"), i, item) {
		if (!x->check)
			break;
		(void)fputs("colconvctl: not in " MANIFEST_FILE ": '", stderr);
		text_print(stderr, json_string_value(item));
		(void)fputs("'\n", stderr);
	}
	json_array_foreach(x->problems, i, item) {
		(void)fputs("colconvctl: ", stderr);
		text_print(stderr, json_string_value(item));
		(void)fputc('\n', stderr);
	}
	return json_array_size(x->problems) ? err_exit_status(E_MISMATCH) : 0;
}

static int
inspect(const struct cli *c, const char *path, bool check, const char *public_key, struct err *e)
{
	_cleanup_free_ char *dir = strdup(path);
	struct inspect x = {.dir = dir,
			    .doc = json_object(),
			    .files = json_array(),
			    .graphs = json_array(),
			    .problems = json_array(),
			    .check = check,
			    .public_key = public_key};
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int r;

	(void)json_object_set_new(x.doc, "path", json_string(path));
	(void)json_object_set_new(x.doc, "files", x.files);
	(void)json_object_set_new(x.doc, "graphs", x.graphs);
	(void)json_object_set_new(x.doc, "problems", x.problems);
	if (!dir)
		r = err_no_memory(e);
	else if (fs_is_dir(path))
		r = artifact_read(&x, e);
	else {
		if (!slash)
			x.dir = ".";
		else
			slash[slash == dir] = '\0';
		r = file_read(&x, fs_basename(path), e);
	}
	if (r == 0)
		r = verify(&x, e);
	if (r == 0 && c->json)
		cli_print_json(x.doc, JSON_INDENT(2));
	else if (r == 0 && check)
		verdict_print(&x, path);
	else if (r == 0)
		r = print(&x, e);
	if (r == 0)
		r = problems_tell(&x);
	json_decref(x.doc);
	return r;
}

int
cmd_inspect(struct cli *c, int argc, char **argv, struct err *e)
{
	const char *public_key = NULL;
	bool check = false;
	const struct option_row rows[] = {
		{"verify", 0, NULL, option_flag, &check, NULL,
		 "check every hash too, and print one verdict instead of the content"},
		{"public-key", 0, "FILE", option_str, &public_key, NULL,
		 "with --verify: check the signature in " SIGNATURE_FILE " by this key (PEM) too"},
		CLI_OPTIONS(c),
	};
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	if (public_key && (!check || !fs_is_dir(argv[0])))
		return err_set(e, E_USAGE, "--public-key needs --verify and an artifact's folder");
	return inspect(c, argv[0], check, public_key, e);
}
