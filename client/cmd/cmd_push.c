#include <inttypes.h>

#include "base/fs.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli.h"
#include "client/net/interrupt.h"
#include "client/show/job.h"
#include "client/show/text.h"
#include "fetch.h"
#include "hub/push.h"
#include "signature.h"
#include "spec/repo.h"
#include "tree.h"
#include "verify.h"

struct pushing {
	struct bar bar;
	struct board board;
	struct push_file *files;
	size_t n;
};

static void
on_progress(void *ctx, uint64_t done, uint64_t total, const char *detail)
{
	struct pushing *p = ctx;

	bar_progress(&p->bar, done, total, "bytes", detail, loop_now_ms());
}

/* Opens all files but those of git, which are the repository's own. */
static int
files_open(struct pushing *p, const char *dir, const json_t *rows, struct err *e)
{
	struct push_file *f;
	const char *name;
	json_t *row;
	size_t i;
	int r = 0;

	json_array_foreach(rows, i, row) {
		name = job_str(row, "name");
		if (r < 0 || (signature_skips(name) && !str_eq(name, SIGNATURE_FILE)))
			continue;
		f = &p->files[p->n++];
		*f = (struct push_file){.name = name, .fd = -1};
		(void)snprintf(f->sha256, sizeof(f->sha256), "%s", job_str(row, "sha256"));
		r = tree_open(dir, name, &f->fd, &f->size, e);
	}
	return r;
}

static int
push_run(struct pushing *p, struct push *push, char **ret, struct err *e)
{
	_cleanup_(interrupt_close) struct interrupt stop = INTERRUPT_INIT;
	int r;

	r = interrupt_open(&stop, INTERRUPT_CTRL_C, e);
	if (r < 0)
		return r;
	push->fd_stop = stop.fd;
	push->progress = on_progress;
	push->ctx = p;
	board_init(&p->board, stderr);
	bar_init(&p->bar, &p->board, "push");
	bar_stage(&p->bar, "upload", loop_now_ms());
	r = hub_push(push, p->files, p->n, ret, e);
	if (r == 0)
		bar_end(&p->bar, loop_now_ms());
	else
		bar_drop(&p->bar);
	bar_release(&p->bar);
	if (r == E_CANCELLED) {
		err_clear(e);
		(void)err_set(e, r,
			      "interrupted; the same command continues with the files that are missing");
	}
	return r;
}

static void
result_print(const struct cli *c, const struct push *push, const struct pushing *p, const char *url)
{
	json_auto_t *sent = json_array(), *there = json_array(), *j = NULL;
	size_t i;

	for (i = 0; i < p->n; i++)
		(void)json_array_append_new(p->files[i].there ? there : sent, json_string(p->files[i].name));
	if (c->json) {
		j = json_pack("{s:s, s:s?, s:O, s:O}", "repo", push->repo, "commit", url, "sent", sent,
			      "there", there);
		cli_print_json(j, JSON_INDENT(2));
	} else if (url) {
		text_print(stdout, url);
		(void)fputc('\n', stdout);
	} else {
		(void)fprintf(stderr, "colconvctl: '%s' has all %zu files already\n", push->repo, p->n);
	}
}

static int
folder_push(const struct cli *c, const char *dir, struct push *push, struct err *e)
{
	json_auto_t *rows = NULL;
	_cleanup_free_ char *url = NULL;
	struct pushing p = {.n = 0};
	size_t i;
	int r;

	r = verify_artifact(dir, "push", &rows, e);
	if (r < 0)
		return r;
	p.files = calloc(MAX(json_array_size(rows), 1), sizeof(*p.files));
	r = p.files ? files_open(&p, dir, rows, e) : err_no_memory(e);
	if (r == 0)
		r = push_run(&p, push, &url, e);
	if (r == 0)
		result_print(c, push, &p, url);
	for (i = 0; i < p.n; i++)
		closep(&p.files[i].fd);
	free(p.files);
	return r;
}

/* A job's artifact is fetched first, into the folder that `fetch` uses, and stays there. */
static int
job_fetch(struct cli *c, const char *id_text, char ret_dir[32], struct err *e)
{
	struct fetch_options o = FETCH_INIT;
	json_auto_t *files = NULL;
	uint64_t id;
	int r;

	r = cli_id_parse(c, id_text, &id, e);
	if (r < 0)
		return r;
	(void)snprintf(ret_dir, 32, "job-%" PRIu64, id);
	o.dir = ret_dir;
	r = fetch_files(c, id, &o, &files, e);
	if (r == 0)
		c->id = 0; /* later errors are not about the job */
	return r;
}

int
cmd_push(struct cli *c, int argc, char **argv, struct err *e)
{
	struct push push = {.fd_stop = -1, .summary = NULL};
	const struct option_row rows[] = {
		{"create", 0, NULL, option_flag, &push.create, NULL, "make the repository if there is none"},
		{"private", 0, NULL, option_flag, &push.private, NULL,
		 "with --create: only its owner can see it"},
		{"message", 'm', "TEXT", option_str, &push.summary, NULL,
		 "the first line of the commit (Add the artifact of colconv)"},
		CLI_OPTIONS(c),
	};
	char dir[32];
	int r;

	r = cli_parse(c, rows, &argc, argv, e);
	if (r <= 0)
		return r;
	push.repo = argv[1];
	push.summary = push.summary ? push.summary : "Add the artifact of colconv";
	if (!repo_id_ok(push.repo))
		return err_set(e, E_USAGE, "'%s' is not the name of a repository: " REPO_ID_FORM, push.repo);
	if (push.private && !push.create)
		return err_set(e, E_USAGE, "--private needs --create");
	if (argv[0][strspn(argv[0], "0123456789")])
		return folder_push(c, argv[0], &push, e);
	r = job_fetch(c, argv[0], dir, e);
	return r < 0 ? r : folder_push(c, dir, &push, e);
}
