#include "fetch.h"

#include <inttypes.h>

#include "base/fs.h"
#include "base/loop.h"
#include "base/sha256.h"
#include "base/str.h"
#include "client/net/interrupt.h"
#include "client/show/bar.h"
#include "client/show/job.h"
#include "client/show/text.h"
#include "net/download.h"
#include "net/url.h"

#define TRIES_MAX 4
#define RETRY_MS 500

/* One file of the artifact. */
struct file {
	struct fetch *all;
	const char *name;
	char *label;
	char *path; /* path of the request */
	char *url;
	struct part part;
	struct bar bar;
	bool shown; /* the bar has a stage */
	bool told;  /* the end of the file was shown */
};

struct fetch {
	struct cli *c;
	struct http *http;
	uint64_t id; /* of the job */
	const struct fetch_options *o;
	struct board board;
	struct file *files;
	struct download *downloads;
	size_t n;
};

/* ---- callbacks of the downloader ---- */

static int
ask(struct download *d, const char *location _unused_, struct exchange_request *ret, struct err *e _unused_)
{
	const struct file *f = d->owner;

	http_ask(f->all->http, f->url, ret);
	return 0;
}

static enum download_verdict
judge(struct download *d, enum exchange_result result, struct err *why)
{
	const struct file *f = d->owner;
	char what[512];
	int r;

	(void)snprintf(what, sizeof(what), "GET %s", f->path);
	r = http_judge(f->all->http, &d->exchange, result, what, why);
	if (r == 0)
		(void)err_set(why, E_INTERNAL, "%s answers %ld to %s", cli_server(f->all->c),
			      d->exchange.answer.status, what);
	return r == E_UNREACHABLE || r == E_BUSY ? DOWNLOAD_RETRY : DOWNLOAD_FAIL;
}

static void
on_pause(struct download *d, const struct err *why)
{
	struct file *f = d->owner;

	bar_note(&f->bar, "%s; trying '%s' again", why->msg, f->name);
}

static void
file_show(struct file *f, const struct download *d, int64_t now)
{
	if (f->told || (!f->shown && d->state == DOWNLOAD_STEP && f->part.have == 0))
		return;
	if (d->state == DOWNLOAD_DONE && f->part.whole) {
		f->told = true;
		bar_drop(&f->bar);
		bar_note(&f->bar, "'%s' is there already", f->name);
		return;
	}
	if (!f->shown)
		bar_stage(&f->bar, f->name, now);
	f->shown = true;
	bar_progress(&f->bar, d->state == DOWNLOAD_DONE ? f->part.size : f->part.have, f->part.size, "bytes",
		     "", now);
	if (d->state != DOWNLOAD_DONE)
		return;
	f->told = true;
	bar_end(&f->bar, now);
}

static void
on_turn(void *ctx, int64_t *ret_ms)
{
	struct fetch *all = ctx;
	const int64_t now = loop_now_ms();
	size_t i;

	for (i = 0; i < all->n; i++)
		file_show(&all->files[i], &all->downloads[i], now);
	board_refresh(&all->board, now, ret_ms);
}

/* ---- the files ---- */

/* The folder of a file that does not lie at the top. */
static int
parent_make(const char *dir, const char *path, struct err *e)
{
	_cleanup_free_ char *parent = strndup(path, (size_t)(fs_basename(path) - path - 1));

	if (!parent)
		return err_no_memory(e);
	return strlen(parent) > strlen(dir) ? fs_mkdir_p(parent, 0777, e) : 0;
}

static int
file_init(struct file *f, struct download *d, struct fetch *all, const json_t *row, struct err *e)
{
	_cleanup_free_ char *escaped = NULL, *path = NULL;
	const char *sha256 = NULL;
	char prefix[32];
	int64_t size = 0;
	int r;

	f->all = all;
	f->part.fd = -1;
	(void)snprintf(prefix, sizeof(prefix), "job %" PRIu64, all->id);
	bar_init(&f->bar, &all->board, prefix);
	r = json_get_str(row, "files[]", "name", JSON_REQUIRED, E_INTERNAL, &f->name, e);
	if (r == 0)
		r = json_get_int(row, "files[]", "size", JSON_REQUIRED, 0, INT64_MAX, E_INTERNAL, &size, e);
	if (r == 0)
		r = json_get_str(row, "files[]", "sha256", JSON_REQUIRED, E_INTERNAL, &sha256, e);
	if (r < 0)
		return r;
	if (!fs_path_ok(f->name))
		return err_set(e, E_INTERNAL, "the daemon lists '%s', which is not a file name", f->name);
	if (strlen(sha256) != SHA256_HEX_LEN || !digest_etag_ok(sha256))
		return err_set(e, E_INTERNAL, "the daemon lists '%s' with the sha256 '%s', which is none",
			       f->name, sha256);
	all->board.label = MAX(all->board.label, (int)MIN(text_width(f->name), sizeof(f->bar.stage) - 1));
	escaped = url_escape(f->name);
	path = fs_join(all->o->dir, f->name);
	f->label = str_printf("'%s'", f->name);
	f->path = escaped ? str_printf("/v1/jobs/%" PRIu64 "/files/%s", all->id, escaped) : NULL;
	f->url = f->path ? http_url(all->http, f->path) : NULL;
	if (!path || !f->label || !f->url)
		return err_no_memory(e);
	r = parent_make(all->o->dir, path, e);
	if (r < 0)
		return r;
	*d = (struct download){.owner = f, .label = f->label, .part = &f->part};
	r = part_init(&f->part, path, str_printf("%s.partial", path), sha256, (uint64_t)size, e);
	path = NULL; /* now owned by the part */
	return r;
}

static void
file_release(struct file *f)
{
	bar_drop(&f->bar);
	bar_release(&f->bar);
	part_release(&f->part);
	free(f->label);
	free(f->path);
	free(f->url);
}

static int
fetch_run(struct fetch *all, struct err *e)
{
	static const struct download_ops ops = {
		.ask = ask, .judge = judge, .pause = on_pause, .turn = on_turn};
	_cleanup_(interrupt_close) struct interrupt stop = INTERRUPT_INIT;
	const struct download_job job = {
		.ops = &ops,
		.ctx = all,
		.wire = http_wire(all->http),
		.parallel = all->o->parallel,
		.tries_max = TRIES_MAX,
		.retry_ms = RETRY_MS,
	};
	int r;

	r = interrupt_open(&stop, INTERRUPT_CTRL_C, e);
	if (r < 0)
		return r;
	http_stop_on(all->http, stop.fd);
	r = download_all(&job, all->downloads, all->n, e);
	http_stop_on(all->http, -1);
	return r;
}

static int
fetch_rows(struct fetch *all, const json_t *rows, struct err *e)
{
	const size_t n = json_array_size(rows);
	_cleanup_free_ struct download *downloads = calloc(n, sizeof(*downloads));
	_cleanup_free_ struct file *files = calloc(n, sizeof(*files));
	size_t i;
	int r;

	if (!files || !downloads)
		return err_no_memory(e);
	all->files = files;
	all->downloads = downloads;
	board_init(&all->board, stderr);
	r = cli_http(all->c, &all->http, e);
	for (; r == 0 && all->n < n; all->n++)
		r = file_init(&files[all->n], &downloads[all->n], all, json_array_get(rows, all->n), e);
	if (r == 0)
		r = fetch_run(all, e);
	for (i = 0; i < all->n; i++)
		file_release(&files[i]);
	if (r == E_CANCELLED) {
		err_clear(e);
		(void)err_set(e, r,
			      "interrupted; 'colconvctl fetch %" PRIu64
			      " -o %s' continues with what is there",
			      all->id, all->o->dir);
	}
	return r;
}

static bool
names_hold(const json_t *names, const char *name)
{
	json_t *s;
	size_t i;

	json_array_foreach(names, i, s)
		if (str_eq(json_string_value(s), name))
			return true;
	return false;
}

/* Selects the wanted rows in the daemon's order. A name that the daemon does not list is an error. */
static int
rows_select(const json_t *list, const json_t *names, json_t *ret, struct err *e)
{
	json_t *row, *name;
	size_t i;

	json_array_foreach(list, i, row)
		if (!names || names_hold(names, job_str(row, "name")))
			(void)json_array_append(ret, row);
	json_array_foreach(names, i, name) {
		size_t k = 0;

		while (k < json_array_size(ret) &&
		       !str_eq(job_str(json_array_get(ret, k), "name"), json_string_value(name)))
			k++;
		if (k == json_array_size(ret))
			return err_set(e, E_NOT_FOUND, "the artifact has no file '%s'",
				       json_string_value(name));
	}
	return 0;
}

/* Explains by the job's state why there are no files. */
static int
nothing_there(struct cli *c, uint64_t id, struct err *e)
{
	const char *removed;
	json_t *job;
	int r = cli_job(c, id, &job, e);

	if (r < 0)
		return r;
	removed = job_str(json_object_get(job, "artifact"), "removed");
	if (*removed)
		r = err_set(e, E_GONE, "the artifact of job %" PRIu64 " was removed at %s", id, removed);
	else
		r = err_set(e, E_NOT_FOUND, "job %" PRIu64 " has no artifact, it is %s", id,
			    job_str(job, "state"));
	json_decref(job);
	return r;
}

int
fetch_files(struct cli *c, uint64_t id, const struct fetch_options *o, json_t **ret, struct err *e)
{
	struct fetch all = {.c = c, .id = id, .o = o};
	const json_t *list;
	json_t *reply, *rows;
	char path[64];
	int r;

	if (o->parallel < 1 || o->parallel > FETCH_PARALLEL_MAX)
		return err_set(e, E_USAGE, "--parallel must be from 1 to %d", FETCH_PARALLEL_MAX);
	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "/files", id);
	r = cli_request(c, "GET", path, NULL, &reply, e);
	if (r < 0)
		return r;
	rows = json_array();
	r = json_get_array(reply, "", "files", JSON_REQUIRED, E_INTERNAL, &list, e);
	if (r == 0)
		r = rows_select(list, o->names, rows, e);
	json_decref(reply);
	if (r == 0 && json_array_size(rows) == 0)
		r = nothing_there(c, id, e);
	if (r == 0)
		r = fs_mkdir_p(o->dir, 0777, e);
	if (r == 0)
		r = fetch_rows(&all, rows, e);
	if (r == 0)
		*ret = json_incref(rows);
	json_decref(rows);
	return r;
}
