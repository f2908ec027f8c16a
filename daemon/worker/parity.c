#include "parity.h"

#include "base/fs.h"
#include "base/helper.h"
#include "base/str.h"
#include "onnx/release.h"

#define PROGRAM "colconv-parity"

#define REPORT_FILE "parity.json"
#define REPORT_LEN_MAX (16u << 20)

/* A line of its progress: "case 3 7 text-long". */
static void
progress_tell(void *arg, char *line)
{
	struct report *r = arg;
	unsigned long long done, total;
	char *p;

	if (!str_starts(line, "case "))
		return;
	done = strtoull(line + 5, &p, 10);
	total = strtoull(p, &p, 10);
	report_progress(r, done, total, "cases", *p == ' ' ? p + 1 : p);
}

static void
started(void *arg, pid_t pid)
{
	report_child(arg, pid);
}

static void
version_take(void *arg, char *line)
{
	int *release = arg;

	*release = release_parse(line);
}

int
parity_probe(struct conversion *c, struct err *e)
{
	_cleanup_(helper_release) struct helper h;

	helper_init(&h, PROGRAM);
	h.repeat = true;
	h.line = version_take;
	h.arg = &c->runtime;
	helper_arg(&h, "--runtime-version");
	return helper_run(&h, e);
}

/* A graph that is too new for the runtime would fail with the runtime's own words about one of its ops. */
static int
runtime_check(const struct conversion *c, struct err *e)
{
	char need[RELEASE_LEN], have[RELEASE_LEN];
	int least = 0;
	size_t i;

	for (i = 0; i < onnx_export_graph_count(c->onnx); i++)
		least = MAX(least, onnx_export_graph(c->onnx, i)->runtime);
	if (c->runtime == 0 || c->runtime >= least)
		return 0;
	return err_set(e, E_UNSUPPORTED_MODEL,
		       "these graphs need ONNX Runtime %s or newer, and parity would run them in %s: "
		       "name a newer "
		       "library in COLCONV_ORT_LIBRARY, or take the target portable",
		       release_str(least, need), release_str(c->runtime, have));
}

int
parity_run(struct conversion *c, struct err *e)
{
	_cleanup_free_ char *report = fs_join(c->job->out_dir, REPORT_FILE);
	_cleanup_(helper_release) struct helper h;
	size_t i;
	int r, v;

	helper_init(&h, PROGRAM);
	if (!report)
		return err_no_memory(e);
	r = runtime_check(c, e);
	if (r < 0)
		return r;
	h.repeat = true;
	h.line = progress_tell;
	h.started = started;
	h.arg = c->report;
	h.keep = sources_reference_fds(c->sources);
	h.n_keep = sources_reference_count(c->sources);
	helper_arg(&h, "--progress");
	helper_arg(&h, "--output=%s", report);
	helper_arg(&h, "--expect=%s", head_output(c->found.head));
	helper_arg(&h, "--max-abs=%.17g", c->spec.max_abs);
	helper_arg(&h, "--min-cosine=%.17g", c->spec.min_cosine);
	helper_arg(&h, "--min-top5=%.17g", c->spec.min_top5);
	for (v = 0; v < VARIANT_MAX; v++)
		if (c->graph[v]) {
			_cleanup_free_ char *path = conversion_path(c, c->graph_file[v]);

			if (!path)
				return err_no_memory(e);
			helper_arg(&h, "--model=%s=%s", variant_name((enum variant)v), path);
		}
	helper_arg(&h, "--cases=%s", c->case_dir);
	for (i = 0; i < sources_reference_count(c->sources); i++)
		helper_arg(&h, "--case-fd=%d:%s", sources_reference_fds(c->sources)[i],
			   sources_reference(c->sources, i));
	r = helper_run(&h, e);
	return r < 0 ? r : json_read(report, REPORT_LEN_MAX, E_INTERNAL, &c->parity, e);
}
