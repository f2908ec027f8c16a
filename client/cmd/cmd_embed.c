/*
 * The commands embed and rank: they run colconv-embed, which links ONNX Runtime, the tokenizer and the
 * picture readers.
 */
#include <errno.h>

#include "base/fs.h"
#include "base/helper.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli.h"
#include "client/show/bar.h"
#include "client/show/job.h"
#include "client/show/table.h"
#include "client/show/text.h"

#define RESULT_LEN_MAX (1u << 30)

struct embed {
	struct helper helper;
	struct bar bar;
	size_t items;
	const char *output;
	char *result; /* our temporary file for the result that goes to the standard output */
};

/* Takes --query and --image; they are passed on in the order of the command line. */
static int
item_take(const struct option_row *o, const char *value, struct err *e _unused_)
{
	struct embed *m = o->ret;

	helper_arg(&m->helper, "--%s", o->name);
	helper_arg(&m->helper, "%s", value);
	m->items++;
	return 0;
}

static int
passed_on(const struct option_row *o, const char *value, struct err *e _unused_)
{
	struct embed *m = o->ret;

	helper_arg(&m->helper, "--%s=%s", o->name, value);
	return 0;
}

/* "item 3 7 page.png" */
static void
item_tell(void *arg, char *line)
{
	struct embed *m = arg;
	uint64_t done, total;
	char *p;

	if (!str_starts(line, "item "))
		return;
	if (!m->bar.stage[0])
		bar_stage(&m->bar, "embed", loop_now_ms());
	done = strtoull(line + 5, &p, 10);
	total = strtoull(p, &p, 10);
	bar_progress(&m->bar, done - 1, total, "items", *p == ' ' ? p + 1 : p, loop_now_ms());
}

static int
result_name(char **ret, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	_cleanup_free_ char *dir = str_printf("%s/colconvctl-XXXXXX", tmp && *tmp ? tmp : "/tmp");

	if (!dir)
		return err_no_memory(e);
	if (!mkdtemp(dir))
		return err_errno(e, E_IO, errno, "cannot make the folder '%s'", dir);
	*ret = fs_join(dir, "result.json");
	return *ret ? 0 : err_no_memory(e);
}

static void
result_remove(struct embed *m)
{
	char *slash = m->result ? strrchr(m->result, '/') : NULL;

	if (slash) {
		*slash = '\0';
		(void)fs_remove(m->result, NULL);
	}
	free(m->result);
}

static int
run(struct embed *m, const char *artifact, const char *title, struct err *e)
{
	struct board board;
	int r = m->output ? 0 : result_name(&m->result, e);

	if (r < 0)
		return r;
	helper_arg(&m->helper, "--progress");
	helper_arg(&m->helper, "--output=%s", m->output ? m->output : m->result);
	helper_arg(&m->helper, "--");
	helper_arg(&m->helper, "%s", artifact);
	m->helper.line = item_tell;
	m->helper.arg = m;
	board_init(&board, stderr);
	bar_init(&m->bar, &board, title);
	r = helper_run(&m->helper, e);
	bar_end(&m->bar, loop_now_ms());
	return r;
}

/* Copies the result unchanged; it may be large. */
static int
result_copy(const struct embed *m, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fs_read(m->result, RESULT_LEN_MAX, E_IO, &text, &len, e);

	return r < 0 ? r : fs_write_all(STDOUT_FILENO, text, len, "the standard output", e);
}

int
cmd_embed(struct cli *c, int argc, char **argv, struct err *e)
{
	struct embed m = {.items = 0};
	const struct option_row rows[] = {
		{"query", 'q', "TEXT", item_take, &m, NULL, "a query (repeatable)"},
		{"image", 'i', "FILE", item_take, &m, NULL, "a page: a PNG or JPEG picture (repeatable)"},
		{"output", 'o', "FILE", option_str, &m.output, NULL,
		 "write FILE.npy (float32 [items, tokens, dim]) or FILE.json; else JSON on the standard "
		 "output"},
		{"task", 0, "NAME", passed_on, &m, NULL,
		 "of an artifact with several tasks: the one to embed for"},
		{"threads", 0, "N", passed_on, &m, NULL, "threads of ONNX Runtime (as many as CPUs)"},
		{"runtime", 0, "FILE", passed_on, &m, NULL,
		 "ONNX Runtime's library, if another one is wanted"},
		COMMON_OPTIONS(c),
	};
	int r;

	helper_init(&m.helper, "colconv-embed");
	r = cli_parse(c, rows, &argc, argv, e);
	if (r > 0 && m.items == 0)
		r = err_set(e, E_USAGE, "nothing to embed: give --query TEXT or --image FILE");
	if (r > 0) {
		r = run(&m, argv[0], "embed", e);
		if (r == 0 && m.result)
			r = result_copy(&m, e);
	}
	result_remove(&m);
	helper_release(&m.helper);
	return r;
}

/* ---- rank ---- */

static int
query_print(const json_t *query, struct err *e)
{
	static const struct table_column columns[] = {
		{"", TABLE_RIGHT}, {"SCORE", TABLE_RIGHT}, {"PAGE", TABLE_LEFT}};
	_cleanup_(table_release) struct table t;
	json_t *page;
	size_t i;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach(json_object_get(query, "pages"), i, page) {
		table_add(&t, "%zu", i + 1);
		table_add(&t, "%.4f", job_number(page, "score"));
		table_add(&t, "%s", job_str(page, "image"));
	}
	return table_print(&t, stdout, text_columns(stdout), e);
}

static void
names_print(const json_t *query)
{
	json_t *page;
	size_t i;

	json_array_foreach(json_object_get(query, "pages"), i, page) {
		text_print(stdout, job_str(page, "image"));
		(void)fputc('\n', stdout);
	}
}

static int
ranking_print(const struct cli *c, const json_t *ranking, struct err *e)
{
	const json_t *queries = json_object_get(ranking, "queries");
	json_t *query;
	size_t i;
	int r = 0;

	json_array_foreach(queries, i, query) {
		if (c->names) {
			names_print(query);
			continue;
		}
		if (json_array_size(queries) > 1) {
			(void)fputs(i ? "\n" : "", stdout);
			text_print(stdout, job_str(query, "query"));
			(void)fputs("\n", stdout);
		}
		if (r == 0)
			r = query_print(query, e);
	}
	return r;
}

static int
ranking_show(const struct cli *c, const struct embed *m, struct err *e)
{
	json_auto_t *ranking = NULL;
	int r = json_read(m->result, RESULT_LEN_MAX, E_INTERNAL, &ranking, e);

	if (r < 0)
		return r;
	if (!c->json)
		return ranking_print(c, ranking, e);
	cli_print_json(ranking, JSON_INDENT(2));
	return 0;
}

int
cmd_rank(struct cli *c, int argc, char **argv, struct err *e)
{
	struct embed m = {.items = 0};
	const struct option_row rows[] = {
		{"query", 'q', "TEXT", item_take, &m, NULL, "the query (repeatable: a ranking for each)"},
		{"task", 0, "NAME", passed_on, &m, NULL,
		 "of an artifact with several tasks: the one to embed for"},
		{"threads", 0, "N", passed_on, &m, NULL, "threads of ONNX Runtime (as many as CPUs)"},
		{"runtime", 0, "FILE", passed_on, &m, NULL,
		 "ONNX Runtime's library, if another one is wanted"},
		TABLE_OPTIONS(c),
	};
	int i, r;

	helper_init(&m.helper, "colconv-embed");
	helper_arg(&m.helper, "--rank");
	r = cli_parse(c, rows, &argc, argv, e);
	if (r > 0 && m.items == 0)
		r = err_set(e, E_USAGE, "rank needs --query TEXT");
	for (i = 1; r > 0 && i < argc; i++) {
		helper_arg(&m.helper, "--image");
		helper_arg(&m.helper, "%s", argv[i]);
	}
	if (r > 0) {
		r = run(&m, argv[0], "rank", e);
		if (r == 0)
			r = ranking_show(c, &m, e);
	}
	result_remove(&m);
	helper_release(&m.helper);
	return r;
}
