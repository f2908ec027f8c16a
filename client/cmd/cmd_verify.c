/* verify: a worker computes the checkpoint's embeddings for its parity cases, and colconv-parity runs the ONNX files on them. */
#include <errno.h>

#include "base/fs.h"
#include "base/helper.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli.h"
#include "client/show/job.h"
#include "client/show/parity.h"
#include "exported.h"
#include "job_options.h"
#include "worker.h"

struct verify {
	const char *dir;
	const char *checkpoint;           /* NULL: the user's cases alone */
	const char *base;                 /* of an adapter; may be NULL */
	const char *program;              /* the worker; NULL: the one beside us */
	const char *max_abs, *min_cosine; /* NULL: those of the artifact, else colconv-parity's own */
	json_t *models;                   /* strings: GRAPH=FILE */
	bool own_cases;                   /* --cases */
	bool log;
	struct exported graphs;
	struct helper parity;
	struct bar bar;
	char *work; /* a temporary folder */
};

static int
passed_on(const struct option_row *o, const char *value, struct err *e _unused_)
{
	struct verify *v = o->ret;

	helper_arg(&v->parity, "--%s=%s", o->name, value);
	v->own_cases |= str_eq(o->name, "cases");
	return 0;
}

static int
model_take(const struct option_row *o, const char *value, struct err *e)
{
	struct verify *v = o->ret;

	return json_array_append_new(v->models, json_string(value)) < 0
		       ? err_set(e, E_USAGE, "the file given with --model has a name that is not UTF-8")
		       : 0;
}

static int
work_make(struct verify *v, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	_cleanup_free_ char *template = str_printf("%s/colconvctl-XXXXXX", tmp && *tmp ? tmp : "/tmp");

	if (!template)
		return err_no_memory(e);
	if (!mkdtemp(template))
		return err_errno(e, E_IO, errno, "cannot make the folder '%s'", template);
	v->work = realpath(template, NULL);
	return v->work ? 0 : err_no_memory(e);
}

/* ---- the checkpoint's embeddings ---- */

/* An artifact says itself what it was asked for. */
static int
options_take(const struct verify *v, json_t *job, struct err *e)
{
	static const char *const keys[] = {"positions", "mask_mode", "dim", "prompts", "task", "head"};
	const json_t *options = json_object_get(v->graphs.facts, "options");
	json_t *value;
	size_t i;
	int failed = 0;

	for (i = 0; i < ARRAY_LEN(keys); i++)
		if ((value = json_object_get(options, keys[i])))
			failed |= json_object_set(job, keys[i], value);
	return failed ? err_no_memory(e) : 0;
}

/* The job that the cases are made for: it has the graphs that are verified. */
static int
job_make(const struct verify *v, struct spec *ret, struct err *e)
{
	json_auto_t *variants = json_array();
	json_t *job = json_pack("{s:O}", "variants", variants);
	char field[SPEC_FIELD_LEN];
	int i, r;

	for (i = 0; i < VARIANT_MAX; i++)
		if (v->graphs.file[i])
			(void)json_array_append_new(variants, json_string(variant_name((enum variant)i)));
	if (v->base)
		(void)json_object_set_new(job, "base", json_string(v->base));
	r = job ? options_take(v, job, e) : err_no_memory(e);
	if (r == 0)
		r = job_spec_finish(&job, /*file=*/NULL, v->checkpoint, e);
	if (r == 0)
		r = spec_from_json(job, ret, field, e);
	json_decref(job);
	return r;
}

/* Returns 1 when the worker reported the failure that *e holds. */
static int
cases_make(struct verify *v, struct err *e)
{
	_cleanup_(spec_release) struct spec spec = SPEC_INIT;
	_cleanup_(interrupt_close) struct interrupt stop = INTERRUPT_INIT;
	_cleanup_free_ char *sibling = NULL;
	json_auto_t *result = NULL;
	struct worker_options o = {
		.out_dir = v->work, .stop = &stop, .bar = &v->bar, .cases_only = true, .log = v->log};
	int r = job_make(v, &spec, e);

	if (r == 0)
		r = fs_sibling("colconv-worker", &sibling, e);
	if (r < 0)
		return r;
	o.program = v->program ? v->program : sibling;
	r = interrupt_open(&stop, INTERRUPT_EVERY, e);
	if (r == 0)
		r = worker_run(&o, &spec, &result, e);
	return r > 0 ? e->code : r;
}

/* ---- the comparison ---- */

/* "case 3 7 text-long" */
static void
case_tell(void *arg, char *line)
{
	struct verify *v = arg;
	uint64_t done, total;
	char *p;

	if (!str_starts(line, "case "))
		return;
	done = strtoull(line + 5, &p, 10);
	total = strtoull(p, &p, 10);
	bar_progress(&v->bar, done, total, "cases", *p == ' ' ? p + 1 : p, loop_now_ms());
}

/* What the user gave, else what the artifact was published within. */
static void
limits_add(struct verify *v)
{
	const json_t *limits = json_object_get(json_object_get(v->graphs.facts, "parity"), "limits");
	const struct {
		const char *option, *key, *given;
	} rows[] = {{"max-abs", "max_abs", v->max_abs}, {"min-cosine", "min_cosine", v->min_cosine}};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].given)
			helper_arg(&v->parity, "--%s=%s", rows[i].option, rows[i].given);
		else if (json_is_number(json_object_get(limits, rows[i].key)))
			helper_arg(&v->parity, "--%s=%.17g", rows[i].option, job_number(limits, rows[i].key));
}

/* The report is there also when the graphs are outside the limits. */
static int
compare(struct verify *v, json_t **ret, struct err *e)
{
	_cleanup_free_ char *report = fs_join(v->work, "parity.json");
	struct err why = ERR_INIT;
	int i, r;

	if (!report)
		return err_no_memory(e);
	for (i = 0; i < VARIANT_MAX; i++)
		if (v->graphs.file[i])
			helper_arg(&v->parity, "--model=%s=%s", variant_name((enum variant)i),
				   v->graphs.file[i]);
	if (v->checkpoint)
		helper_arg(&v->parity, "--cases=%s/.cases", v->work);
	limits_add(v);
	helper_arg(&v->parity, "--unmasked");
	helper_arg(&v->parity, "--progress");
	helper_arg(&v->parity, "--output=%s", report);
	v->parity.line = case_tell;
	v->parity.arg = v;
	bar_stage(&v->bar, "parity", loop_now_ms());
	r = helper_run(&v->parity, &why);
	bar_end(&v->bar, loop_now_ms());
	if (r < 0 && r != E_PARITY)
		return err_set(e, r, "%s", why.msg);
	return parity_read(report, ret, e);
}

static int
report_show(const struct cli *c, const json_t *report, struct err *e)
{
	int r = 0;

	if (c->json)
		cli_print_json(report, JSON_INDENT(2));
	else
		r = parity_print(report, stdout, e);
	if (r < 0)
		return r;
	return json_is_true(json_object_get(report, "passed")) ? 0 : err_exit_status(E_PARITY);
}

static int
verify(struct cli *c, struct verify *v, struct err *e)
{
	json_auto_t *report = NULL;
	struct board board;
	json_t *model;
	size_t i;
	int r = 0;

	if (!v->checkpoint && !v->own_cases)
		return err_set(e, E_USAGE, "verify needs --checkpoint CHECKPOINT, or your own --cases DIR");
	if (!fs_is_dir(v->dir))
		return err_set(e, E_USAGE, "'%s' is not a folder", v->dir);
	json_array_foreach(v->models, i, model)
		if (r == 0)
			r = exported_name(&v->graphs, v->dir, json_string_value(model), e);
	if (r == 0)
		r = exported_find(&v->graphs, v->dir, e);
	if (r == 0)
		r = work_make(v, e);
	if (r < 0)
		return r;
	board_init(&board, stderr);
	bar_init(&v->bar, &board, "verify");
	if (v->checkpoint)
		r = cases_make(v, e);
	if (r == 0)
		r = compare(v, &report, e);
	(void)fs_remove(v->work, NULL);
	return r < 0 ? r : report_show(c, report, e);
}

int
cmd_verify(struct cli *c, int argc, char **argv, struct err *e)
{
	struct verify v = {.models = json_array(), .graphs = EXPORTED_INIT};
	const struct option_row rows[] = {
		{"checkpoint", 'c', "CHECKPOINT", option_str, &v.checkpoint, NULL,
		 "the folder or OWNER/NAME that the files were made from"},
		{"base", 0, "BASE", option_str, &v.base, NULL, "the base of an adapter"},
		{"cases", 0, "DIR", passed_on, &v, NULL,
		 "cases of your own, case-*.safetensors (repeatable)"},
		{"model", 0, "GRAPH=FILE", model_take, &v, NULL,
		 "which file is which graph: text, image, unified (repeatable); else by their inputs"},
		{"input", 0, "NAME=INPUT", passed_on, &v, NULL,
		 "the input NAME is what a checkpoint's class calls INPUT (repeatable); usual spellings are "
		 "known"},
		{"result", 0, "NAME", passed_on, &v, NULL,
		 "the only output to compare; else the one called an embedding, and those that the original "
		 "has too"},
		{"max-abs", 0, "X", option_str, &v.max_abs, NULL, "largest difference of an element (1e-4)"},
		{"min-cosine", 0, "X", option_str, &v.min_cosine, NULL,
		 "smallest cosine of a token's vectors (0.99999)"},
		{"worker", 0, "PROGRAM", option_str, &v.program, NULL,
		 "the worker (colconv-worker beside this program)"},
		{"log", 0, NULL, option_flag, &v.log, NULL, "show all lines of the worker's log"},
		CLI_OPTIONS(c),
	};
	int r;

	helper_init(&v.parity, "colconv-parity");
	r = cli_parse(c, rows, &argc, argv, e);
	if (r > 0) {
		v.dir = argv[0];
		r = verify(c, &v, e);
	}
	json_decref(v.models);
	exported_release(&v.graphs);
	helper_release(&v.parity);
	free(v.work);
	return r;
}
