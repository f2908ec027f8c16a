/*
 * The format is POSIX's pax: for each file a header block of 512 bytes, its content, and zeros up to the next multiple of
 * 512; two blocks of zeros at the end. A name or a size that does not fit into a header comes before it, in a header of
 * type 'x' whose content is lines "LEN path=NAME".
 *
 *	at        0     100   108 116 124   136    148   156  157   257      263
 *	header    name  mode  uid gid size  mtime  sum   type link  "ustar"  "00"
 */
#include "tar.h"

#include <errno.h>
#include <inttypes.h>

#include "api_private.h"
#include "base/str.h"

#define TAR_MAGIC 0x74617230u
#define UNIT 512
#define END_LEN (2 * UNIT)
#define NAME_MAX_LEN 100 /* in a header */
#define PATH_MAX_LEN 700 /* in a pax header */
#define SIZE_MAX_OCTAL 077777777777ull
#define HEAD_MAX (4 * UNIT) /* a pax header with its lines, and the header itself */
#define READ_LEN (64u << 10)

struct header {
	char name[NAME_MAX_LEN], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100],
		magic[6], version[2], rest[247];
};

_Static_assert(sizeof(struct header) == UNIT, "a header is one block");

struct tar {
	unsigned magic;
	char *state_dir;
	int64_t job;
	int64_t mtime; /* s since 1970 */
	struct artifact_list list;
	size_t i;            /* the file that is being sent; list.n: the end */
	char head[HEAD_MAX]; /* of that file */
	size_t head_len;
	uint64_t at; /* bytes of the file's part that were sent: head, content, zeros */
	int fd;      /* its content; -1: not open */
};

static void
tar_free(void *arg)
{
	struct tar *t = arg;

	CHECK_OBJ(t, TAR_MAGIC);
	if (t->fd >= 0)
		(void)close(t->fd);
	artifact_list_release(&t->list);
	free(t->state_dir);
	OBJ_FREE(t);
}

static uint64_t
padded(uint64_t len)
{
	return (len + UNIT - 1) / UNIT * UNIT;
}

static void
header_make(struct header *h, const char *name, uint64_t size, int64_t mtime, char type)
{
	const unsigned char *bytes = (const unsigned char *)h;
	unsigned sum = 0;
	size_t i;

	memset(h, 0, sizeof(*h));
	memcpy(h->name, name, MIN(strlen(name), sizeof(h->name)));
	(void)snprintf(h->mode, sizeof(h->mode), "%07o", 0644u);
	(void)snprintf(h->uid, sizeof(h->uid), "%07o", 0u);
	(void)snprintf(h->gid, sizeof(h->gid), "%07o", 0u);
	(void)snprintf(h->size, sizeof(h->size), "%011" PRIo64, MIN(size, (uint64_t)SIZE_MAX_OCTAL));
	(void)snprintf(h->mtime, sizeof(h->mtime), "%011" PRIo64, (uint64_t)mtime);
	memset(h->sum, ' ', sizeof(h->sum));
	h->type = type;
	memcpy(h->magic, "ustar", sizeof(h->magic));
	memcpy(h->version, "00", sizeof(h->version));
	for (i = 0; i < sizeof(*h); i++)
		sum += bytes[i];
	(void)snprintf(h->sum, sizeof(h->sum), "%06o", sum);
}

/* Appends "LEN key=value\n"; LEN counts the whole line, its own digits too. */
static size_t
line_put(char *lines, size_t at, const char *key, const char *value)
{
	const size_t rest = strlen(key) + strlen(value) + strlen(" =\n");
	char digits[24];
	size_t len = rest + 1;

	while (len != rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len))
		len = rest + strlen(digits);
	return at + (size_t)snprintf(lines + at, len + 1, "%s %s=%s\n", digits, key, value);
}

/* Fills in t->head for a file. */
static void
head_make(struct tar *t, const struct artifact_file *f)
{
	char name[PATH_MAX_LEN + 32], size[24], lines[2 * UNIT] = "";
	size_t n = 0;

	(void)snprintf(name, sizeof(name), "colconv-%" PRId64 "/%s", t->job, f->name);
	(void)snprintf(size, sizeof(size), "%" PRIu64, f->size);
	if (strlen(name) > NAME_MAX_LEN)
		n = line_put(lines, n, "path", name);
	if (f->size > SIZE_MAX_OCTAL)
		n = line_put(lines, n, "size", size);
	memset(t->head, 0, sizeof(t->head));
	t->head_len = 0;
	if (n) {
		header_make((struct header *)(void *)t->head, "pax", n, t->mtime, 'x');
		memcpy(t->head + UNIT, lines, n);
		t->head_len = UNIT + padded(n);
	}
	header_make((struct header *)(void *)(t->head + t->head_len), name, f->size, t->mtime, '0');
	t->head_len += UNIT;
}

static int
file_open(const struct tar *t, const struct artifact_file *f, int *ret_fd, struct err *e)
{
	uint64_t size;
	int r = artifact_open_file(t->state_dir, t->job, f->name, ret_fd, &size, e);

	if (r < 0 || size == f->size)
		return r;
	(void)close(*ret_fd);
	return err_set(e, E_MISMATCH,
		       "'%s' of job %" PRId64 " has %" PRIu64 " bytes, and was published with %" PRIu64,
		       f->name, t->job, size, f->size);
}

/* The length of the whole tar. Opens each file once, so that a damaged artifact is an error and no broken download. */
static int
tar_len(struct tar *t, uint64_t *ret, struct err *e)
{
	uint64_t len = END_LEN;
	int fd = -1, r;
	size_t i;

	for (i = 0; i < t->list.n; i++) {
		if (strlen(t->list.files[i].name) > PATH_MAX_LEN)
			return err_set(
				e, E_TOO_LARGE,
				"the name '%.80s...' is too long for a tar file; fetch the files one by one",
				t->list.files[i].name);
		r = file_open(t, &t->list.files[i], &fd, e);
		if (r < 0)
			return r;
		(void)close(fd);
		head_make(t, &t->list.files[i]);
		len += t->head_len + padded(t->list.files[i].size);
	}
	*ret = len;
	return 0;
}

/* The next file, whose head is to be made. */
static void
file_next(struct tar *t)
{
	if (t->fd >= 0)
		(void)close(t->fd);
	t->fd = -1;
	t->at = 0;
	t->i++;
}

/* Copies up to `max` bytes of the current file's part; 0 when all were copied, negative on an error. */
static ssize_t
file_read(struct tar *t, char *buf, size_t max)
{
	const struct artifact_file *f = &t->list.files[t->i];
	const uint64_t end = t->head_len + f->size;
	ssize_t n;

	if (t->at < t->head_len) {
		n = (ssize_t)MIN(max, t->head_len - t->at);
		memcpy(buf, t->head + t->at, (size_t)n);
	} else if (t->at < end) {
		if (t->fd < 0 && file_open(t, f, &t->fd, NULL) < 0)
			return -1;
		n = pread(t->fd, buf, (size_t)MIN(max, end - t->at), (off_t)(t->at - t->head_len));
		if (n == 0)
			return -1; /* shorter than it was published */
	} else {
		n = (ssize_t)MIN(max, t->head_len + padded(f->size) - t->at);
		memset(buf, 0, (size_t)n);
	}
	if (n > 0)
		t->at += (uint64_t)n;
	return n;
}

static ssize_t
tar_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct tar *t = arg;
	size_t done = 0;
	ssize_t n;

	(void)pos;
	CHECK_OBJ(t, TAR_MAGIC);
	while (done < max && t->i < t->list.n) {
		if (t->at == 0)
			head_make(t, &t->list.files[t->i]);
		n = file_read(t, buf + done, max - done);
		if (n < 0)
			return done ? (ssize_t)done : MHD_CONTENT_READER_END_WITH_ERROR;
		done += (size_t)n;
		if (n == 0)
			file_next(t);
	}
	if (done ==
	    0) { /* the two blocks of zeros; the library asks for no more than the length that it has */
		memset(buf, 0, max);
		done = max;
	}
	return (ssize_t)done;
}

int
api_tar_reply(struct request *q, const struct job *job, struct artifact_list *list, struct err *e)
{
	struct tar *t = calloc(1, sizeof(*t));
	char disposition[80];
	uint64_t len = 0;
	int r;

	if (!t)
		return err_no_memory(e);
	*t = (struct tar){
		.magic = TAR_MAGIC, .job = job->id, .mtime = job->ended / 1000, .list = *list, .fd = -1};
	*list = (struct artifact_list)ARTIFACT_LIST_INIT;
	t->state_dir = strdup(api_of(q)->spec.state_dir);
	r = t->state_dir ? tar_len(t, &len, e) : err_no_memory(e);
	if (r < 0) {
		tar_free(t);
		return r;
	}
	r = reply_reader_take(q, len, READ_LEN, tar_read, t, tar_free, "application/x-tar", e);
	(void)snprintf(disposition, sizeof(disposition), "attachment; filename=\"colconv-%" PRId64 ".tar\"",
		       job->id);
	reply_header(q, "Content-Disposition", disposition);
	return r;
}
