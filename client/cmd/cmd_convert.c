#include <dirent.h>
#include <errno.h>

#include "base/fs.h"
#include "base/str.h"
#include "cli.h"
#include "client/show/job.h"
#include "job_options.h"
#include "client/show/parity.h"
#include "client/show/remedy.h"
#include "worker.h"

/* convert runs without a queue, so it has none of the queue's options. */
#undef JOB_OPTION_QUEUE
#define JOB_OPTION_QUEUE(id, ret)

struct convert {
	json_t *json;        /* the job that the options ask for */
	const char *dir;     /* where the artifact will be */
	const char *program; /* the worker; NULL: the one beside us */
	const char *file;    /* of a job, may be NULL */
	bool force;
	bool log;
};

static void
closedirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

/* --force replaces only an artifact or an empty folder: any other folder may hold somebody's work. */
static int
replaceable_check(const char *dir, struct err *e)
{
	_cleanup_(closedirp) DIR *d = opendir(dir);
	bool empty = true, graph = false;
	struct dirent *ent;

	if (!d)
		return err_errno(e, E_USAGE, errno, "cannot replace '%s'", dir);
	while ((ent = readdir(d))) {
		if (str_eq(ent->d_name, ".") || str_eq(ent->d_name, ".."))
			continue;
		empty = false;
		graph = graph || str_ends(ent->d_name, ".onnx");
	}
	if (!empty && !graph)
		return err_set(e, E_USAGE,
			       "'%s' has no .onnx file, so it is not an artifact; not replacing it", dir);
	return 0;
}

static int
dir_check(const struct convert *v, struct err *e)
{
	if (!v->dir)
		return err_set(e, E_USAGE, "convert needs --output DIR");
	if (!fs_exists(v->dir))
		return 0;
	if (!v->force)
		return err_set(e, E_USAGE, "'%s' is there already; --force replaces it", v->dir);
	return replaceable_check(v->dir, e);
}

/* "DIR.partial-XXXXXX" beside DIR, as an absolute path and with the mode that a folder would have. */
static int
staging_make(const char *dir, char **ret, struct err *e)
{
	_cleanup_free_ char *path = str_printf("%s", dir), *template = NULL;
	size_t n = path ? strlen(path) : 0;
	mode_t mask = umask(0);

	(void)umask(mask);
	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	template = path ? str_printf("%s.partial-XXXXXX", path) : NULL;
	if (!template)
		return err_no_memory(e);
	if (!mkdtemp(template) || chmod(template, 0777 & ~mask) < 0)
		return err_errno(e, E_IO, errno, "cannot make the folder '%s'", template);
	*ret = realpath(template, NULL);
	return *ret ? 0 : err_errno(e, E_IO, errno, "cannot find '%s'", template);
}

/*
 * Publishes the staging folder as the artifact in one step, so that DIR is always the old artifact or the new
 * one. A finished conversion is never deleted: when it cannot be moved into place it stays, and the error
 * says where.
 */
static int
publish(const struct convert *v, const char *staging, struct err *e)
{
	const bool replace = fs_exists(v->dir);
	int r = fs_sync_tree(staging, e);

	if (r == 0)
		r = replace ? fs_exchange(staging, v->dir, e) : fs_rename(staging, v->dir, e);
	if (r < 0)
		return err_context(
			e, "the conversion is finished and its artifact is in '%s'; move it from there",
			staging);
	if (replace && fs_remove(staging, NULL) < 0) /* the old one */
		(void)fprintf(stderr,
			      "colconvctl: what '%s' was before is now '%s' and could not be removed\n",
			      v->dir, staging);
	return 0;
}

/* Prints the report's table now: the report is deleted with the staging folder. */
static void
parity_tell(const char *staging)
{
	_cleanup_free_ char *path = fs_join(staging, "parity.json");
	json_t *report = NULL;

	if (path && parity_read(path, &report, NULL) == 0)
		(void)parity_print(report, stderr, NULL);
	json_decref(report);
}

static void
result_print(const struct cli *c, const struct convert *v, json_t *result)
{
	if (json_is_true(json_object_get(result, "parity_checked")))
		(void)fprintf(stderr, "convert: parity holds: max abs %.2e, min cosine %.8f\n",
			      job_number(result, "max_abs"), job_number(result, "min_cosine"));
	else
		(void)fputs("convert: parity was not checked\n", stderr);
	if (!c->json) {
		(void)puts(v->dir);
		return;
	}
	(void)json_object_set_new(result, "dir", json_string(v->dir));
	cli_print_json(result, JSON_INDENT(2));
}

/* Runs the worker in a staging folder, which then becomes the artifact or is deleted. */
static int
convert_staged(struct cli *c, const struct convert *v, const struct spec *spec, const struct interrupt *stop,
	       struct err *e)
{
	_cleanup_free_ char *staging = NULL, *sibling = NULL;
	struct worker_options o = {.program = v->program, .stop = stop, .log = v->log};
	_cleanup_(buf_release) struct buf remedy = BUF_INIT;
	json_t *result = NULL;
	struct board board;
	struct bar bar;
	int r;

	r = o.program ? 0 : fs_sibling("colconv-worker", &sibling, e);
	if (r == 0)
		r = staging_make(v->dir, &staging, e);
	if (r < 0)
		return r;
	board_init(&board, stderr);
	bar_init(&bar, &board, "convert");
	o.program = o.program ? o.program : sibling;
	o.out_dir = staging;
	o.bar = &bar;
	r = worker_run(&o, spec, &result, e);
	if (r != 0) {
		if (e->code == E_PARITY)
			parity_tell(staging);
		(void)fs_remove(staging, NULL);
	} else if ((r = publish(v, staging, e)) == 0) {
		result_print(c, v, result);
	}
	json_decref(result);
	if (r > 0) {
		remedy_add(&remedy, e->code, "convert", /*id=*/0);
		remedy_storage_add(&remedy, e->code, job_str(v->json, "storage"));
		(void)fprintf(stderr, "colconvctl: the conversion failed (%s): %s%s\n", err_name(e->code),
			      e->msg, remedy.data ? remedy.data : "");
		r = job_exit_status(e->code);
	}
	return r;
}

static int
convert(struct cli *c, const struct convert *v, struct err *e)
{
	_cleanup_(spec_release) struct spec spec = SPEC_INIT;
	_cleanup_(interrupt_close) struct interrupt stop = INTERRUPT_INIT;
	char field[SPEC_FIELD_LEN];
	int r;

	r = dir_check(v, e);
	if (r == 0)
		r = spec_from_json(v->json, &spec, field, e);
	if (r < 0)
		return r;
	r = interrupt_open(&stop, INTERRUPT_EVERY, e);
	return r < 0 ? r : convert_staged(c, v, &spec, &stop, e);
}

int
cmd_convert(struct cli *c, int argc, char **argv, struct err *e)
{
	struct convert v = {.json = json_object()};
	const struct option_row rows[] = {
		{"output", 'o', "DIR", option_str, &v.dir, NULL, "the folder to make (required)"},
		{"file", 'f', "FILE", option_str, &v.file, NULL,
		 "take the job's JSON from FILE (- is the standard input); options go over it"},
#define FIELD(use, kind, sym, ...) JOB_OPTION_##use(SPEC_FIELD_##sym, v.json)
#include "spec/fields.def"
		{"force", 0, NULL, option_flag, &v.force, NULL, "replace an artifact that is there"},
		{"worker", 0, "PROGRAM", option_str, &v.program, NULL,
		 "the worker (colconv-worker beside this program)"},
		{"log", 0, NULL, option_flag, &v.log, NULL, "show all lines of the worker's log"},
		COMMON_OPTIONS(c),
	};
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r > 0) {
		r = job_spec_finish(&v.json, v.file, argc ? argv[0] : NULL, e);
		if (r == 0)
			r = convert(c, &v, e);
	}
	json_decref(v.json);
	return r;
}
