/*
 * colconv-parity: runs ONNX graphs on cases and compares their embeddings with the original's.
 *
 * Exit status: 0 when all runs are within the limits, 10 when some are not, else that of base/errors.def.
 * On failure the last line on stderr is "colconv-parity: REASON: MESSAGE"; REASON is a wire name.
 */
#include <math.h>

#include "base/json.h"
#include "base/str.h"
#include "names.h"
#include "program.h"
#include "report.h"

/* An option --cases, --case or --case-fd. */
struct source {
	const char *path;
	bool is_dir;
	int fd; /* -1: open the path */
};

struct args {
	struct program p;
	const char *models[VARIANT_MAX]; /* NULL: not given */
	struct source *sources;
	size_t source_count;
	const char *expect;
	const char **inputs;
	struct names names;
	bool unmasked;
	struct limits limits;
	bool json;
	bool probe; /* only print the version of the runtime */
};

enum opt {
	OPT_MODEL = 1000,
	OPT_CASES,
	OPT_CASE,
	OPT_CASE_FD,
	OPT_EXPECT,
	OPT_INPUT,
	OPT_RESULT,
	OPT_UNMASKED,
	OPT_MAX_ABS,
	OPT_MIN_COSINE,
	OPT_MIN_TOP5,
	OPT_JSON,
	OPT_RUNTIME_VERSION,
};

static const struct option options[] = {
	{"model", required_argument, NULL, OPT_MODEL},
	{"cases", required_argument, NULL, OPT_CASES},
	{"case", required_argument, NULL, OPT_CASE},
	{"case-fd", required_argument, NULL, OPT_CASE_FD},
	{"expect", required_argument, NULL, OPT_EXPECT},
	{"input", required_argument, NULL, OPT_INPUT},
	{"result", required_argument, NULL, OPT_RESULT},
	{"unmasked", no_argument, NULL, OPT_UNMASKED},
	{"max-abs", required_argument, NULL, OPT_MAX_ABS},
	{"min-cosine", required_argument, NULL, OPT_MIN_COSINE},
	{"min-top5", required_argument, NULL, OPT_MIN_TOP5},
	{"json", no_argument, NULL, OPT_JSON},
	{"runtime-version", no_argument, NULL, OPT_RUNTIME_VERSION},
	PROGRAM_OPTIONS,
	{0},
};

static const char help[] =
	"usage: colconv-parity --model GRAPH=FILE.onnx... (--cases DIR | --case FILE)... [options]\n"
	"Runs ONNX graphs on cases and compares their embeddings with the original's.\n"
	"\n"
	"  --model GRAPH=FILE   a graph: text, image, unified,\n"
	"                       preprocess or page\n"
	"  --cases DIR          every case-*.safetensors of a folder\n"
	"  --case FILE          one case\n"
	"  --case-fd N:NAME     one case, open on descriptor N; NAME is for the report\n"
	"  --expect NAME        compare with the case's out.NAME (embeddings)\n"
	"  --input NAME=INPUT   an input of the graphs called NAME is the case's in.INPUT; usual\n"
	"                       spellings are known\n"
	"  --result NAME        the graphs' only output to compare; else the one called an embedding,\n"
	"                       and others that a case has as out.NAME\n"
	"  --unmasked           compare unmasked tokens alone\n"
	"  --max-abs X          largest absolute difference of an element (1e-4)\n"
	"  --min-cosine X       smallest cosine of an unmasked token's vectors (0.99999)\n"
	"  --min-top5 X         smallest share of the first five documents of a query that must\n"
	"                       be the original's (0)\n"
	"  --output FILE        write the report as JSON\n"
	"  --threads N          threads of ONNX Runtime (as many as CPUs)\n"
	"  --runtime FILE       ONNX Runtime's library; else $COLCONV_ORT_LIBRARY, else the\n"
	"                       one installed with colconv, else the system's\n"
	"  --json               print the report as JSON instead of a table\n"
	"  --progress           print a line 'case N TOTAL NAME' for each run instead of a table\n"
	"  --runtime-version    print the version of ONNX Runtime that would be used, and where no\n"
	"                       such library is found, say so\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 within the limits, 10 outside them, other numbers for errors.\n";

static int
model_parse(struct args *a, char *s, struct err *e)
{
	char *eq = strchr(s, '=');
	enum variant v;
	int r;

	if (!eq || !eq[1])
		return err_set(e, E_USAGE, "--model must be GRAPH=FILE, not '%s'", s);
	*eq = '\0';
	r = variant_from_str(s, E_USAGE, &v, e);
	if (r < 0)
		return r;
	if (a->models[v])
		return err_set(e, E_USAGE, "--model %s is given twice", s);
	a->models[v] = eq + 1;
	return 0;
}

/* Parses "7:/models/case-text.safetensors". */
static int
case_fd_parse(struct args *a, char *s, struct err *e)
{
	char *colon = strchr(s, ':');
	uint64_t fd;
	int r;

	if (!colon || !colon[1])
		return err_set(e, E_USAGE, "--case-fd must be DESCRIPTOR:NAME, not '%s'", s);
	*colon = '\0';
	r = str_to_u64(s, 3, INT32_MAX, "--case-fd", &fd, e);
	if (r == 0)
		a->sources[a->source_count++] = (struct source){.path = colon + 1, .fd = (int)fd};
	return r;
}

static int
option_parse(struct args *a, int opt, char *const *argv, struct err *e)
{
	switch (opt) {
	case OPT_MODEL:
		return model_parse(a, optarg, e);
	case OPT_CASES:
	case OPT_CASE:
		a->sources[a->source_count++] = (struct source){
			.path = optarg,
			.is_dir = opt == OPT_CASES,
			.fd = -1,
		};
		return 0;
	case OPT_CASE_FD:
		return case_fd_parse(a, optarg, e);
	case OPT_EXPECT:
		a->expect = optarg;
		return 0;
	case OPT_INPUT:
		if (!strchr(optarg, '='))
			return err_set(e, E_USAGE, "--input must be NAME=INPUT, not '%s'", optarg);
		a->inputs[a->names.n_inputs++] = optarg;
		return 0;
	case OPT_RESULT:
		a->names.output = optarg;
		return 0;
	case OPT_UNMASKED:
		a->unmasked = true;
		return 0;
	case OPT_MAX_ABS:
		return str_to_double(optarg, 0, INFINITY, "--max-abs", &a->limits.max_abs, e);
	case OPT_MIN_COSINE:
		return str_to_double(optarg, -1, 1, "--min-cosine", &a->limits.min_cosine, e);
	case OPT_MIN_TOP5:
		return str_to_double(optarg, 0, 1, "--min-top5", &a->limits.min_top5, e);
	case OPT_JSON:
		a->json = true;
		return 0;
	case OPT_RUNTIME_VERSION:
		a->probe = true;
		return 0;
	default:
		return program_take(&a->p, opt, argv, e);
	}
}

static int
args_parse(struct args *a, int argc, char **argv, struct err *e)
{
	bool any = false;
	int opt, v, r;

	a->sources = calloc((size_t)argc, sizeof(*a->sources));
	a->inputs = calloc((size_t)argc, sizeof(*a->inputs));
	a->names.inputs = a->inputs;
	if (!a->sources || !a->inputs)
		return err_no_memory(e);
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		r = option_parse(a, opt, argv, e);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return err_set(e, E_USAGE, "unexpected argument '%s'", argv[optind]);
	if (a->probe)
		return 0;
	for (v = 0; v < VARIANT_MAX; v++)
		any |= a->models[v] != NULL;
	if (!any)
		return err_set(e, E_USAGE, "no --model is given; see --help");
	if (a->source_count == 0)
		return err_set(e, E_USAGE, "no --cases and no --case is given; see --help");
	return 0;
}

static int
cases_load(const struct args *a, struct cases *l, struct err *e)
{
	const struct source *s;
	size_t i;
	int r;

	for (i = 0; i < a->source_count; i++) {
		s = &a->sources[i];
		if (s->fd >= 0)
			r = cases_add_fd_take(l, s->fd, s->path, a->expect, e);
		else
			r = s->is_dir ? cases_add_dir(l, s->path, a->expect, e)
				      : cases_add_file(l, s->path, a->expect, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Runs the cases of one graph. Only one graph is loaded at a time. */
static int
variant_run(const struct args *a, enum variant v, struct report *report, struct err *e)
{
	_cleanup_(ort_session_free) struct ort_session *s = NULL;
	struct run *run;
	size_t i;
	int r;

	r = ort_session_new(a->models[v], a->p.threads, &s, e);
	if (r == 0)
		r = names_apply(&a->names, s, e);
	for (i = 0; r == 0 && i < report->run_count; i++) {
		run = &report->runs[i];
		if (run->variant != v)
			continue;
		r = run_case(run, s, &a->limits, e);
		if (r == 0 && a->p.progress) {
			(void)printf("case %zu %zu %s\n", i + 1, report->run_count, run->c->name);
			(void)fflush(stdout);
		}
	}
	return r;
}

static int
report_write(const struct args *a, const struct report *report, struct err *e)
{
	json_auto_t *j = NULL;
	int r;

	r = report_to_json(report, &j, e);
	if (r == 0 && a->p.output)
		r = json_write(a->p.output, j, e);
	if (r < 0 || a->p.progress)
		return r;
	if (!a->json)
		report_print(report, stdout);
	else if (json_dumpf(j, stdout, JSON_INDENT(2)) == 0)
		(void)putchar('\n');
	return 0;
}

static int
probe(const struct args *a, struct err *e)
{
	int r = ort_open(a->p.runtime, e);

	if (r == 0)
		(void)printf("%s\n", ort_version());
	return r;
}

static int
parity(const struct args *a, struct err *e)
{
	_cleanup_(cases_release) struct cases cases = CASES_INIT;
	_cleanup_(report_release) struct report report = {.limits = a->limits};
	int v, r;

	r = cases_load(a, &cases, e);
	if (r == 0 && a->unmasked)
		cases_unmask(&cases);
	if (r == 0)
		r = report_plan(&report, &cases, a->models, e);
	if (r == 0)
		r = ort_open(a->p.runtime, e);
	for (v = 0; r == 0 && v < VARIANT_MAX; v++)
		if (a->models[v])
			r = variant_run(a, v, &report, e);
	if (r == 0)
		r = report_rank(&report, e);
	if (r < 0)
		return r;
	report.runtime_version = ort_version();
	r = report_write(a, &report, e);
	return r < 0 ? r : report_verdict(&report, e);
}

int
main(int argc, char **argv)
{
	struct args a = {.expect = "embeddings", .limits = LIMITS_FP32};
	struct err e = ERR_INIT;
	int r;

	program_init(&a.p, "colconv-parity", help);
	r = args_parse(&a, argc, argv, &e);
	if (r == 0)
		r = a.probe ? probe(&a, &e) : parity(&a, &e);
	free(a.sources);
	free(a.inputs);
	return program_end(r, &e);
}
