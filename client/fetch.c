#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "base/str.h"
#include "bar.h"
#include "clock.h"
#include "job.h"

/* Connections in a row that may break without a byte gained. */
#define TRIES_MAX 3
#define RETRY_US 500000
#define BLOCK_LEN (1u << 20)

struct download {
	struct cli *c;
	uint64_t id; /* of the job */
	const char *name;
	uint64_t size;       /* as listed */
	const char *sha256;  /* as listed */
	const char *partial; /* path */
	int fd;              /* of the partial file */
	uint64_t have;       /* bytes in it, all of them in the hash */
	struct sha256 *hash;
	struct bar *bar;
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
	bar_progress(d->bar, d->have, d->size, "bytes", "", clock_ms());
}

/* Hashes what an earlier download left. */
static int
download_resume(struct download *d, struct err *e)
{
	_cleanup_free_ char *block = malloc(BLOCK_LEN);
	ssize_t n = 1;
	int r;

	if (!block)
		return err_set(e, E_NO_MEMORY, "memory ran out");
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

/* As many connections as it takes, while each brings something. */
static int
download_bytes(struct download *d, struct err *e)
{
	_cleanup_free_ char *name = http_escape(d->name);
	_cleanup_free_ char *path = name ? str_printf("/v1/jobs/%" PRIu64 "/files/%s", d->id, name) : NULL;
	struct http_request req = {.method = "GET", .path = path, .sink = on_bytes, .ctx = d};
	struct http *h;
	int r, tries = 0;

	if (!path)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	r = cli_http(d->c, &h, e);
	while (r == 0 && d->have < d->size) {
		req.from = d->have;
		r = http_perform(h, &req, e);
		if (r == 0 && d->have < d->size)
			return err_set(e, E_MISMATCH, "'%s' ends after %" PRIu64 " of %" PRIu64 " bytes",
				       d->name, d->have, d->size);
		tries = d->have > req.from ? 0 : tries + 1;
		if (r == E_UNREACHABLE && tries < TRIES_MAX) {
			bar_note(d->bar, "%s; going on with '%s'", e->msg, d->name);
			err_clear(e);
			(void)usleep(RETRY_US);
			r = 0;
		}
	}
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

static int
download_run(struct download *d, const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(d->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r;

	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot open '%s'", d->partial);
	d->fd = fd;
	r = download_resume(d, e);
	if (r == 0)
		r = download_bytes(d, e);
	if (r == 0)
		r = download_verify(d, e);
	if (r == 0)
		r = fs_rename(d->partial, path, e);
	if (r == E_MISMATCH)
		(void)unlink(d->partial); /* nothing to go on with */
	sha256_free(&d->hash);
	return r;
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
fetch_one(struct download *d, const char *dir, const json_t *row, struct err *e)
{
	_cleanup_free_ char *path = NULL, *partial = NULL;
	int64_t size = 0;
	int r;

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
	d->have = 0;
	path = fs_join(dir, d->name);
	partial = path ? str_printf("%s.partial", path) : NULL;
	if (!partial)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	if (is_whole(d, path)) {
		bar_note(d->bar, "'%s' is there already", path);
		return 0;
	}
	d->partial = partial;
	bar_stage(d->bar, d->name, clock_ms());
	r = download_run(d, path, e);
	bar_end(d->bar, clock_ms());
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

int
fetch_files(struct cli *c, uint64_t id, const char *dir, const json_t *names, json_t **ret, struct err *e)
{
	struct download d = {.c = c, .id = id, .fd = -1};
	char path[64], prefix[32];
	const json_t *list;
	json_t *reply, *rows;
	struct bar bar;
	size_t i;
	int r;

	(void)snprintf(path, sizeof(path), "/v1/jobs/%" PRIu64 "/files", id);
	(void)snprintf(prefix, sizeof(prefix), "job %" PRIu64, id);
	r = cli_request(c, "GET", path, NULL, &reply, e);
	if (r < 0)
		return r;
	rows = json_array();
	r = json_get_array(reply, "", "files", JSON_REQUIRED, E_INTERNAL, &list, e);
	if (r == 0)
		r = rows_select(list, names, rows, e);
	json_decref(reply);
	if (r == 0 && json_array_size(rows) == 0)
		r = err_set(e, E_NOT_FOUND, "job %" PRIu64 " has no artifact", id);
	if (r == 0)
		r = fs_mkdir_p(dir, 0777, e);
	bar_init(&bar, stderr, prefix);
	d.bar = &bar;
	for (i = 0; r == 0 && i < json_array_size(rows); i++)
		r = fetch_one(&d, dir, json_array_get(rows, i), e);
	if (r == 0)
		*ret = json_incref(rows);
	json_decref(rows);
	return r;
}
