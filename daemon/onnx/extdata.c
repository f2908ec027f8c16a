/*
 * A pipeline in pieces of at most PIECE_LEN bytes, which lie one after the other in the file:
 * converters take the next piece, convert it into a slot and write it; the calling thread
 * hashes the slots in order and frees them.
 *
 *	mapped checkpoint -> converter -> slot -> pwrite
 *	                  -> converter -> slot -> pwrite
 *	                                   `-> hash, in order
 *
 * Behind it, windows of the file are waited for and dropped from the page cache, so that a
 * large model neither piles up dirty pages nor evicts everything else.
 */
#include "extdata.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/fs.h"
#include "base/str.h"
#include "checkpoint/convert.h"

#define PIECE_LEN (8u << 20)
#define SLOT_LEN (PIECE_LEN + EXTDATA_ALIGN) /* with the padding after a tensor */
#define WINDOW_LEN (32u << 20)
#define CONVERTERS 2 /* together they outrun the one hash */
#define SLOTS 4

struct item {
	const struct weight *weight;
	struct extdata_form form;
	uint64_t offset;
	uint64_t len; /* without the padding after it */
};

struct extdata {
	struct item *item;
	size_t n, cap;
	uint64_t len;
};

struct piece {
	const struct item *item;
	size_t first, n; /* elements of the item, in stored order */
	uint64_t offset; /* in the file */
	size_t len;      /* bytes, with the padding after the item's last piece */
	bool last;       /* of its item */
};

struct slot {
	struct piece piece;
	float *data; /* SLOT_LEN bytes */
	bool ready;  /* to be hashed */
};

struct writer {
	const struct extdata *x;
	const char *path;
	int fd;
	uint64_t settled; /* bytes known to be on the disk; of the hashing thread alone */

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	size_t next_item, next_first; /* where the next piece begins */
	size_t taken, hashed;         /* pieces */
	struct slot slot[SLOTS];      /* piece i is in slot i % SLOTS */
	struct err err;               /* the first failure; all stop then */
};

int
extdata_new(struct extdata **ret, struct err *e)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : err_set(e, E_NO_MEMORY, "memory ran out");
}

void
extdata_free(struct extdata **x)
{
	if (!*x)
		return;
	free((*x)->item);
	free(*x);
	*x = NULL;
}

static bool
item_is(const struct item *it, const struct weight *w, const struct extdata_form *f)
{
	return it->weight->tensor == w->tensor && it->form.transform == f->transform &&
	       it->form.rows == f->rows && it->form.cols == f->cols;
}

int
extdata_add(struct extdata *x, const struct weight *w, const struct extdata_form *form,
	    struct extdata_place *ret, struct err *e)
{
	struct item *it;
	size_t i, cap;

	if (!convert_can(w->tensor->dtype))
		return err_set(e, E_EXPORT, "weight '%s' is of dtype %s, which is no floating point number",
			       w->name, st_dtype_name(w->tensor->dtype));
	for (i = 0; i < x->n && !item_is(&x->item[i], w, form); i++)
		;
	if (i == x->n) {
		if (x->n == x->cap) {
			cap = MAX(x->cap * 2, 256);
			it = realloc(x->item, cap * sizeof(*it));
			if (!it)
				return err_set(e, E_NO_MEMORY, "memory ran out");
			x->item = it;
			x->cap = cap;
		}
		it = &x->item[x->n++];
		*it = (struct item){.weight = w, .form = *form, .offset = x->len};
		it->len = (uint64_t)w->tensor->count * sizeof(float);
		x->len += ALIGN_UP(it->len, EXTDATA_ALIGN);
	}
	ret->offset = x->item[i].offset;
	ret->len = x->item[i].len;
	return 0;
}

uint64_t
extdata_len(const struct extdata *x)
{
	return x->len;
}

/* With the lock held. A piece of a transposed item is whole stored rows, or part of one. */
static bool
piece_take(struct writer *w, struct piece *ret)
{
	const struct item *it;
	size_t count, n, row;

	if (w->next_item == w->x->n)
		return false;
	it = &w->x->item[w->next_item];
	count = (size_t)it->weight->tensor->count;
	n = MIN(PIECE_LEN / sizeof(float), count - w->next_first);
	row = (size_t)it->form.rows;
	if (row)
		n = n < row ? MIN(n, row - w->next_first % row) : n - n % row;
	ret->item = it;
	ret->first = w->next_first;
	ret->n = n;
	ret->offset = it->offset + ret->first * sizeof(float);
	ret->last = ret->first + n == count;
	ret->len = n * sizeof(float);
	if (ret->last)
		ret->len = ALIGN_UP(it->len, EXTDATA_ALIGN) - ret->first * sizeof(float);
	w->next_first = ret->last ? 0 : ret->first + n;
	w->next_item += ret->last;
	w->taken++;
	return true;
}

static int
piece_convert(const struct piece *p, float *dst, struct err *e)
{
	const struct weight *w = p->item->weight;
	size_t rows = (size_t)p->item->form.rows, cols = (size_t)p->item->form.cols, i;
	int r;

	if (rows == 0)
		r = weight_read(w, p->first, p->n, dst, e);
	else
		r = weight_read_transposed(w, cols, p->first % rows, p->first / rows, MIN(rows, p->n),
					   MAX(p->n / rows, 1), dst, e);
	if (p->item->form.transform == IR_PLUS_ONE)
		for (i = 0; i < p->n; i++)
			dst[i] += 1.0f;
	memset(dst + p->n, 0, p->len - p->n * sizeof(*dst));
	return r;
}

static int
piece_write(const struct writer *w, const struct piece *p, const float *data, struct err *e)
{
	const char *from = (const char *)data;
	size_t done = 0;
	ssize_t k;

	while (done < p->len) {
		k = pwrite(w->fd, from + done, p->len - done, (off_t)(p->offset + done));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_errno(e, E_IO, errno, "cannot write '%s'", w->path);
		done += (size_t)k;
	}
	/* Starts the disk; settle() waits for it, and reports what goes wrong. */
	(void)sync_file_range(w->fd, (off_t)p->offset, (off_t)p->len, SYNC_FILE_RANGE_WRITE);
	return 0;
}

static void *
converter_main(void *arg)
{
	struct writer *w = arg;
	struct err e = ERR_INIT;
	struct slot *s;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (w->taken - w->hashed == SLOTS && w->err.code == 0)
			pthread_cond_wait(&w->changed, &w->lock);
		s = &w->slot[w->taken % SLOTS];
		if (w->err.code || !piece_take(w, &s->piece))
			break;
		pthread_mutex_unlock(&w->lock);
		if (piece_convert(&s->piece, s->data, &e) == 0)
			(void)piece_write(w, &s->piece, s->data, &e);
		pthread_mutex_lock(&w->lock);
		if (e.code && w->err.code == 0)
			w->err = e;
		s->ready = true;
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Waits for the disk to have written a window that lies one window behind `end`, and lets the page cache
 * forget it. */
static int
settle(struct writer *w, uint64_t end, struct err *e)
{
	const unsigned int how =
		SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	if (end - w->settled < 2 * WINDOW_LEN)
		return 0;
	if (sync_file_range(w->fd, (off_t)w->settled, WINDOW_LEN, how) < 0)
		return err_errno(e, E_IO, errno, "cannot write '%s'", w->path);
	(void)posix_fadvise(w->fd, (off_t)w->settled, WINDOW_LEN, POSIX_FADV_DONTNEED);
	w->settled += WINDOW_LEN;
	return 0;
}

/* The next piece in order, once a converter has written it; NULL when one has failed. */
static struct slot *
slot_wait(struct writer *w, struct err *e)
{
	struct slot *s = &w->slot[w->hashed % SLOTS];

	pthread_mutex_lock(&w->lock);
	while (!s->ready && w->err.code == 0)
		pthread_cond_wait(&w->changed, &w->lock);
	if (w->err.code) {
		(void)err_set(e, w->err.code, "%s", w->err.msg);
		s = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	return s;
}

static void
slot_free(struct writer *w, struct slot *s)
{
	pthread_mutex_lock(&w->lock);
	s->ready = false;
	w->hashed++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static int
hash_all(struct writer *w, onnx_progress_fn progress, void *userdata, char ret[SHA256_HEX_LEN + 1],
	 struct err *e)
{
	_cleanup_(sha256_free) struct sha256 *h = NULL;
	const struct weight *weight;
	uint64_t end = 0;
	struct slot *s;
	int r;

	r = sha256_new(&h, e);
	while (r == 0 && end < w->x->len) {
		s = slot_wait(w, e);
		if (!s)
			return e->code;
		sha256_add(h, s->data, s->piece.len);
		end = s->piece.offset + s->piece.len;
		weight = s->piece.item->weight;
		if (s->piece.last)
			st_drop(weight->file, weight->tensor->data, weight->tensor->len);
		slot_free(w, s);
		r = settle(w, end, e);
		if (progress)
			progress(userdata, end, w->x->len, weight->name);
	}
	if (r == 0)
		sha256_finish(h, ret);
	return r;
}

static void
writer_stop(struct writer *w, const struct err *e)
{
	pthread_mutex_lock(&w->lock);
	if (w->err.code == 0)
		w->err = *e;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* Runs the pipeline over the open file. */
static int
write_all(struct writer *w, onnx_progress_fn progress, void *userdata, char ret[SHA256_HEX_LEN + 1],
	  struct err *e)
{
	_cleanup_free_ char *memory = malloc((size_t)SLOTS * SLOT_LEN);
	pthread_t thread[CONVERTERS];
	int n, i, r = 0;

	if (!memory)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	for (i = 0; i < SLOTS; i++)
		w->slot[i].data = (float *)(void *)(memory + (size_t)i * SLOT_LEN);
	for (n = 0; n < CONVERTERS && r == 0; n += r == 0) {
		r = pthread_create(&thread[n], NULL, converter_main, w);
		if (r)
			r = err_errno(e, E_NO_MEMORY, r, "cannot start a thread");
	}
	if (r == 0)
		r = hash_all(w, progress, userdata, ret, e);
	if (r < 0)
		writer_stop(w, e);
	for (i = 0; i < n; i++)
		(void)pthread_join(thread[i], NULL);
	return r;
}

/* All of the file's blocks before its first byte, so that a full disk is noticed at once. */
static int
space_take(int fd, const char *path, uint64_t len, struct err *e)
{
	char need[32], have[32];
	uint64_t free_len;
	int r;

	r = fs_free_bytes(path, &free_len, e);
	if (r < 0)
		return r;
	if (free_len < len)
		return err_set(e, E_NO_SPACE, "the weights need %s and '%s' has %s free",
			       str_bytes(len, need, sizeof(need)), path,
			       str_bytes(free_len, have, sizeof(have)));
	if (len == 0 || fallocate(fd, 0, 0, (off_t)len) == 0)
		return 0;
	if (errno == EOPNOTSUPP && ftruncate(fd, (off_t)len) == 0)
		return 0;
	/* EFBIG: beyond the limit of this process or of the file system. */
	return err_errno(e, errno == EFBIG ? E_NO_SPACE : E_IO, errno, "cannot take %s for '%s'",
			 str_bytes(len, need, sizeof(need)), path);
}

int
extdata_write(const struct extdata *x, const char *path, onnx_progress_fn progress, void *userdata,
	      char ret_sha256[SHA256_HEX_LEN + 1], struct err *e)
{
	struct writer w = {
		.x = x,
		.path = path,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	_cleanup_close_ int fd = -1;
	struct err local = ERR_INIT;
	int r;

	/* A new file, never one that has another name too: readers refuse external data with two links. */
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(e, E_IO, errno, "cannot replace '%s'", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot create '%s'", path);
	w.fd = fd;
	r = space_take(fd, path, x->len, &local);
	if (r == 0)
		r = write_all(&w, progress, userdata, ret_sha256, &local);
	if (r == 0 && fsync(fd) < 0)
		r = err_errno(&local, E_IO, errno, "cannot fsync '%s'", path);
	if (r < 0) {
		(void)unlink(path);
		return err_set(e, r, "%s", local.msg);
	}
	return 0;
}
