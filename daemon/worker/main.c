/*
 * colconv-worker: runs one conversion and exits. colconvd or colconvctl start it, write a Job to its stdin and read its frames
 * (proto/worker.proto). Run by hand it prints graphs.
 */
#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "spec/frame.h"
#include "torch/shim.h"
#include "hub/hub.h"
#include "config.h"
#include "confine.h"
#include "manifest.h"
#include "stages.h"
#include "warnings.h"

static const char help[] =
	"usage: colconv-worker                              run the job that comes as a frame on stdin\n"
	"       colconv-worker --dump GRAPH CHECKPOINT      print a graph as it is traced (text, image, "
	"unified)\n"
	"       colconv-worker --dump-onnx FILE.onnx        print an ONNX file\n"
	"       colconv-worker --help | --version\n"
	"\n"
	"To convert a checkpoint by hand use `colconvctl convert`.\n";

static const struct option options[] = {
	{"dump", required_argument, NULL, 'd'},
	{"dump-onnx", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static int
job_read(Colconv__Job **ret, struct err *e)
{
	struct buf b = BUF_INIT;
	int r = frame_read(STDIN_FILENO, &b, e);

	if (r == 0)
		r = err_set(e, E_WORKER_PROTOCOL, "expected a job on stdin; see --help");
	if (r > 0) {
		*ret = colconv__job__unpack(NULL, b.len, (const uint8_t *)b.data);
		r = *ret ? 0 : err_set(e, E_WORKER_PROTOCOL, "the data on stdin is not a job");
	}
	buf_release(&b);
	return r;
}

static int
result_report(const struct conversion *c, struct err *e)
{
	char *file[VARIANT_MAX] = {NULL};
	Colconv__Result result = COLCONV__RESULT__INIT;
	Colconv__GraphSummary graph[VARIANT_MAX], *ptr[VARIANT_MAX];
	const json_t *worst = c->parity ? json_object_get(c->parity, "worst") : NULL, *text;
	char *warning[WARNINGS_MAX];
	size_t i, k;
	int r = 0;

	for (i = 0; c->onnx && i < onnx_export_graph_count(c->onnx); i++) {
		const struct onnx_graph_info *info = onnx_export_graph(c->onnx, i);

		colconv__graph_summary__init(&graph[i]);
		graph[i].variant = (char *)(uintptr_t)info->name;
		graph[i].file = file[i] = conversion_artifact_name(c, info->file);
		r = file[i] ? r : err_no_memory(e);
		graph[i].nodes = info->nodes;
		ptr[i] = &graph[i];
	}
	result.n_graphs = i;
	result.graphs = ptr;
	result.recipe = (char *)(uintptr_t)c->recipe;
	result.known = c->known;
	result.architecture = (char *)(uintptr_t)c->model->arch->family;
	result.parameters = conversion_parameters(c);
	result.parity_checked = c->parity != NULL;
	result.warnings = warning;
	json_array_foreach(c->warnings, k, text)
		warning[result.n_warnings++] = (char *)(uintptr_t)json_string_value(text);
	if (worst) {
		result.max_abs = json_number_value(json_object_get(worst, "max_abs"));
		result.min_cosine = json_number_value(json_object_get(worst, "min_cosine"));
	}
	if (r == 0)
		report_result(c->report, &result);
	while (i-- > 0)
		free(file[i]);
	return r;
}

/* Report of the running job; NULL before it exists. */
static struct report *reporting;

/* A mapped file was cut while it was read: send the last message, from the thread that read it. */
static void
file_lost(const struct err *e)
{
	if (reporting)
		report_failure(reporting, e);
	log_err("%s: %s", err_name(e->code), e->msg);
}

/* Raise the limit of descriptors: each file of weights keeps one open, and there may be more than the usual 1024. */
static void
descriptors_raise(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

/*
 * Confines the worker if possible. Without Landlock the conversion runs unconfined, and the job's log says
 * so.
 */
static void
job_confine(const Colconv__Job *job)
{
	_cleanup_free_ char *cache = NULL;
	struct err e = ERR_INIT;
	const char *open[2] = {job->out_dir};
	const struct confine_spec spec = {
		.closed = job->closed,
		.n_closed = job->n_closed,
		.open = open,
		.n_open = job->n_closed && hub_cache_make(&cache, NULL) == 0 ? 2 : 1,
	};

	open[1] = cache;
	if (confine(&spec, &e) < 0)
		log_warning("the daemon's own files are not closed to this worker: %s, ignoring", e.msg);
}

static int
job_run(struct err *e)
{
	struct conversion c = {.job = NULL};
	Colconv__Job *job = NULL;
	int r;

	log_set_numbered();
	r = job_read(&job, e);
	if (r == 0)
		job_confine(job); /* before other threads start */
	if (r == 0)
		r = report_new(job->nonce, &c.report, e);
	if (r == 0) {
		reporting = c.report;
		c.job = job;
		r = spec_from_text(job->spec, "the job", E_WORKER_PROTOCOL, &c.spec, e);
		if (r == 0)
			r = conversion_run(&c, e);
		if (r == 0)
			r = result_report(&c, e);
		if (r < 0)
			report_failure(c.report, e);
		reporting = NULL;
	}
	report_free(&c.report);
	conversion_release(&c);
	if (job)
		colconv__job__free_unpacked(job, NULL);
	return r;
}

static int
graph_print(const char *variant, const char *dir, struct err *e)
{
	struct conversion c = {.job = NULL};
	struct buf b = BUF_INIT;
	enum variant v;
	int r;

	r = variant_from_str(variant, E_USAGE, &v, e);
	if (r == 0) /* for the defaults of all options */
		r = spec_from_text("{\"model\": \"/\"}", "the job", E_INTERNAL, &c.spec, e);
	if (r == 0)
		r = conversion_resolve(&c, dir, /*choice=*/NULL, e);
	if (r == 0)
		r = architecture_variants_check(c.model->arch, 1u << v, e);
	if (r == 0)
		r = conversion_trace(&c, v, &c.graph[v], e);
	if (r == 0) {
		graph_dump(c.graph[v], &b);
		r = buf_failed(&b, e);
	}
	if (r == 0)
		(void)fwrite(b.data, 1, b.len, stdout);
	buf_release(&b);
	conversion_release(&c);
	return r;
}

static int
onnx_print(const char *path, struct err *e)
{
	struct buf b = BUF_INIT;
	int r = onnx_dump(path, &b, e);

	if (r == 0)
		(void)fwrite(b.data, 1, b.len, stdout);
	buf_release(&b);
	return r;
}

int
main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int opt, r;

	log_setup(LOG_LEVEL_INFO);
	(void)signal(
		SIGXFSZ,
		SIG_IGN); /* make write() return an error for a file that grows too large, also in colconv-parity */
	map_catch(file_lost);
	descriptors_raise();
	opt = getopt_long(argc, argv, "", options, NULL);
	switch (opt) {
	case 'h':
		(void)fputs(help, stdout);
		return 0;
	case 'V':
		(void)printf("colconv-worker %s (libtorch %s)\n", PACKAGE_VERSION, tt_version());
		return 0;
	case 'd':
		r = optind + 1 == argc
			    ? graph_print(optarg, argv[optind], &e)
			    : err_set(&e, E_USAGE, "--dump takes a graph and a checkpoint; see --help");
		break;
	case 'o':
		r = onnx_print(optarg, &e);
		break;
	case -1:
		r = optind == argc ? job_run(&e)
				   : err_set(&e, E_USAGE, "unexpected '%s'; see --help", argv[optind]);
		break;
	default:
		return err_exit_status(E_USAGE);
	}
	if (r < 0)
		log_err("%s: %s", err_name(r), e.msg);
	return err_exit_status(r);
}
