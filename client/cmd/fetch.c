#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "base/str.h"
#include "client/show/bar.h"
#include "client/net/clock.h"
#include "client/net/interrupt.h"
#include "client/show/job.h"
#include "client/show/text.h"

/* Connections in a row that may break without a byte gained. */
#define TRIES_MAX 3
#define RETRY_MS 500
#define BLOCK_LEN (1u << 20)

struct download {
	const struct fetch *all;
	const char *name;
	uint64_t size;      /* as listed */
	const char *sha256; /* as listed */
	char *path;
	char *partial;
	char *url;     /* its path on the server */
	int fd;        /* of the partial file; -1: not begun, or over */
	uint64_t have; /* bytes in it, all of them in the hash */
	struct sha256 *hash;
	struct bar bar;
	struct http_request req;
	struct http_transfer *transfer; /* NULL: none now */
	int64_t retry_ms;               /* when to ask again */
	int tries;                      /* that brought nothing, in a row */
	bool over;
};

struct fetch {
	struct cli *c;
	uint64_t id; /* of the job */
	const struct fetch_options *o;
	struct board board;
	struct download *files;
	size_t n;
};

static int
download_restart(struct download *d, struct err *e)
{
	sha256_free(&d->hash);
	d->have = 0;
	if (ftruncate(d->fd, 0) < 0 || lseek(d->fd, 0, SEEK_SET) < 0)
		return err_errno(e, E_IO, errno, "cannot empty '%s'", d->partial);
	return sha256_new(&d->hash, e);
}

static void
bytes_take(struct download *d, const void *data, size_t len)
{
	sha256_add(d->hash, data, len);
	d->have += len;
	bar_progress(&d->bar, d->have, d->size, "bytes", "", clock_ms());
}

/* Hashes what an earlier download left. */
static int
download_resume(struct download *d, struct err *e)
{
	_cleanup_free_ char *block = malloc(BLOCK_LEN);
	ssize_t n = 1;
	int r;

	if (!block)
		return err_no_memory(e);
	r = sha256_new(&d->hash, e);
	while (r == 0 && n > 0) {
		n = read(d->fd, block, BLOCK_LEN);
		if (n < 0)
			return err_errno(e, E_IO, errno, "cannot read '%s'", d->partial);
		if ((uint64_t)n > d->size - d->have)
			return download_restart(d, e);
		bytes_take(d, block, (size_t)n);
	}
	return r;
}

static int
on_bytes(void *ctx, uint64_t offset, const char *data, size_t len, struct err *e)
{
	struct download *d = ctx;
	int r = 0;

	if (offset == 0 && d->have)
		r = download_restart(d, e);
	if (r < 0)
		return r;
	if (offset != d->have)
		return err_set(e, E_MISMATCH, "'%s' was to go on at byte %" PRIu64 ", not %" PRIu64, d->name,
			       d->have, offset);
	if (len > d->size - d->have)
		return err_set(e, E_MISMATCH, "'%s' is longer than the %" PRIu64 " bytes listed", d->name,
			       d->size);
	r = fs_write_all(d->fd, data, len, d->partial, e);
	if (r == 0)
		bytes_take(d, data, len);
	return r;
}

static int
download_verify(struct download *d, struct err *e)
{
	char hex[SHA256_HEX_LEN + 1];

	sha256_finish(d->hash, hex);
	if (!str_eq(hex, d->sha256))
		return err_set(e, E_MISMATCH, "'%s' has the sha256 %s, not %s", d->name, hex, d->sha256);
	if (fsync(d->fd) < 0)
		return err_errno(e, E_IO, errno, "cannot fsync '%s'", d->partial);
	return 0;
}

/* There already, from an earlier download. */
static bool
is_whole(const struct download *d, const char *path)
{
	char hex[SHA256_HEX_LEN + 1];
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == d->size &&
	       sha256_file(path, hex, NULL) == 0 && str_eq(hex, d->sha256);
}

static int
download_init(struct download *d, struct fetch *all, const json_t *row, struct err *e)
{
	_cleanup_free_ char *name = NULL;
	char prefix[32];
	int64_t size = 0;
	int r;

	d->all = all;
	d->fd = -1;
	(void)snprintf(prefix, sizeof(prefix), "job %" PRIu64, all->id);
	bar_init(&d->bar, &all->board, prefix);
	r = json_get_str(row, "files[]", "name", JSON_REQUIRED, E_INTERNAL, &d->name, e);
	if (r == 0)
		r = json_get_int(row, "files[]", "size", JSON_REQUIRED, 0, INT64_MAX, E_INTERNAL, &size, e);
	if (r == 0)
		r = json_get_str(row, "files[]", "sha256", JSON_REQUIRED, E_INTERNAL, &d->sha256, e);
	if (r < 0)
		return r;
	if (!fs_name_ok(d->name))
		return err_set(e, E_INTERNAL, "the daemon lists '%s', which is no name of a file", d->name);
	d->size = (uint64_t)size;
	all->board.label = MAX(all->board.label, (int)MIN(text_width(d->name), sizeof(d->bar.stage) - 1));
	name = http_escape(d->name);
	d->path = fs_join(all->o->dir, d->name);
	d->partial = d->path ? str_printf("%s.partial", d->path) : NULL;
	d->url = name ? str_printf("/v1/jobs/%" PRIu64 "/files/%s", all->id, name) : NULL;
	return d->partial && d->url ? 0 : err_no_memory(e);
}

static void
download_release(struct download *d)
{
	(void)http_finish(&d->transfer, NULL);
	bar_drop(&d->bar);
	bar_release(&d->bar);
	closep(&d->fd);
	sha256_free(&d->hash);
	free(d->path);
	free(d->partial);
	free(d->url);
}

/* All bytes are there. */
static int
download_end(struct download *d, struct err *e)
{
	int r = download_verify(d, e);

	if (r == 0)
		r = fs_rename(d->partial, d->path, e);
	if (r == 0)
		bar_end(&d->bar, clock_ms());
	(void)close(TAKE_FD(d->fd));
	d->over = true;
	return r;
}

static int
download_open(struct download *d, struct err *e)
{
	if (is_whole(d, d->path)) {
		bar_note(&d->bar, "'%s' is there already", d->path);
		d->over = true;
		return 0;
	}
	d->fd = open(d->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (d->fd < 0)
		return err_errno(e, E_IO, errno, "cannot open '%s'", d->partial);
	bar_stage(&d->bar, d->name, clock_ms());
	return download_resume(d, e);
}

/* Bytes that are wrong are nothing to go on with. */
static int
mismatch_drop(const struct download *d, int r)
{
	if (r == E_MISMATCH)
		(void)unlink(d->partial);
	return r;
}

/* Opens the file, or goes on with it. */
static int
download_begin(struct download *d, struct http *h, struct err *e)
{
	int r = d->fd < 0 ? download_open(d, e) : 0;

	if (r < 0 || d->over)
		return r;
	if (d->have == d->size)
		return download_end(d, e);
	d->req = (struct http_request){
		.method = "GET", .path = d->url, .from = d->have, .sink = on_bytes, .ctx = d};
	return http_begin(h, &d->req, &d->transfer, e);
}

/* A connection has ended: with the file, or too early. */
static int
download_ended(struct download *d, struct err *e)
{
	int r = http_finish(&d->transfer, e);

	if (r == 0 && d->have == d->size)
		return download_end(d, e);
	if (r == 0)
		return err_set(e, E_MISMATCH, "'%s' ends after %" PRIu64 " of %" PRIu64 " bytes", d->name,
			       d->have, d->size);
	d->tries = d->have > d->req.from ? 0 : d->tries + 1;
	if ((r != E_UNREACHABLE && r != E_BUSY) || d->tries >= TRIES_MAX)
		return r;
	bar_note(&d->bar, "%s; going on with '%s'", e->msg, d->name);
	err_clear(e);
	d->retry_ms = clock_ms() + RETRY_MS;
	return 0;
}

/* Begins as many as may run at once. *ret_left is how many are not over; *ret_ms when the next is due, or 0.
 */
static int
downloads_begin(struct fetch *all, struct http *h, size_t *ret_left, int64_t *ret_ms, struct err *e)
{
	size_t i, running = 0;
	struct download *d;
	int r = 0;

	*ret_left = 0;
	*ret_ms = 0;
	for (i = 0; r == 0 && i < all->n && running < all->o->parallel; i++) {
		d = &all->files[i];
		if (!d->over && !d->transfer && clock_ms() >= d->retry_ms)
			r = mismatch_drop(d, download_begin(d, h, e));
		else if (!d->over && !d->transfer)
			*ret_ms = *ret_ms ? MIN(*ret_ms, d->retry_ms) : d->retry_ms;
		running += !d->over;
		*ret_left += !d->over;
	}
	return r;
}

static int
downloads_run(struct fetch *all, const struct interrupt *stop, struct err *e)
{
	struct http_transfer *t;
	struct download *d;
	size_t left = 1;
	int64_t until;
	struct http *h;
	int r = cli_http(all->c, &h, e);

	if (r < 0)
		return r;
	http_stop_on(h, stop->fd);
	while (r == 0) {
		r = downloads_begin(all, h, &left, &until, e);
		if (r < 0 || left == 0)
			break;
		board_refresh(&all->board, clock_ms(), &until);
		r = http_wait(h, until, &t, e);
		if (r < 0 || !t)
			continue;
		d = http_request(t)->ctx;
		r = mismatch_drop(d, download_ended(d, e));
	}
	http_stop_on(h, -1);
	return r;
}

static int
fetch_rows(struct fetch *all, const json_t *rows, struct err *e)
{
	_cleanup_(interrupt_close) struct interrupt stop = INTERRUPT_INIT;
	_cleanup_free_ struct download *files = calloc(json_array_size(rows), sizeof(*files));
	sigset_t signals;
	size_t i;
	int r = 0;

	if (!files)
		return err_no_memory(e);
	all->files = files;
	board_init(&all->board, stderr);
	for (; r == 0 && all->n < json_array_size(rows); all->n++)
		r = download_init(&files[all->n], all, json_array_get(rows, all->n), e);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	if (r == 0)
		r = interrupt_open(&stop, &signals, e);
	if (r == 0)
		r = downloads_run(all, &stop, e);
	for (i = 0; i < all->n; i++)
		download_release(&files[i]);
	if (r == E_CANCELLED) {
		err_clear(e);
		(void)err_set(e, r,
			      "interrupted; 'colconvctl fetch %" PRIu64 " -o %s' goes on with what is there",
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

/* The rows that are wanted, in the daemon's order; a name that it does not list is refused. */
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

/* Why there are no files: the job's state says. */
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
