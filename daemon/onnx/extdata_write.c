/*
 * Writes a file through a pipeline of pieces of at most PIECE_LEN bytes, in file order. Converters take the
 * next piece, convert it into a slot and write it; the calling thread hashes the slots in order and frees
 * them.
 *
 *	mapped checkpoint -> converter -> slot -> pwrite
 *	                  -> converter -> slot -> pwrite
 *	                                   `-> hash, in order
 *
 * Behind the pipeline, windows of the file are waited for and dropped from the page cache, so that a large
 * model neither piles up dirty pages nor evicts everything else.
 */
#include "extdata.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/fs.h"
#include "base/str.h"
#include "checkpoint/convert.h"
#include "quantize.h"
#include "rounding.h"

#define PIECE_LEN (8u << 20)
#define SLOT_LEN \
	(EXTDATA_HEAD_MAX + PIECE_LEN + EXTDATA_ALIGN) /* includes room for the bytes before and after a
                                                        * tensor */
#define WINDOW_LEN (32u << 20)
#define CONVERTERS 2 /* two are faster than the one hash */
#define SLOTS 4

struct piece {
	const struct extdata_item *item;
	size_t first, n; /* elements of the item, in stored order */
	uint64_t offset; /* in the file, of the bytes before the item's first piece */
	size_t head_len; /* length of these bytes; 0 for other pieces */
	size_t len;      /* length including them and the padding after the item's last piece */
	bool last;       /* of its item */
};

struct slot {
	struct piece piece;
	char *data; /* SLOT_LEN bytes; the elements begin at EXTDATA_HEAD_MAX */
	bool ready; /* to be hashed */
};

struct writer {
	const struct extdata *x;
	uint64_t len; /* of the file */
	const char *path;
	int fd;
	uint64_t settled; /* bytes known to be on the disk; used by the hashing thread only */

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	size_t next_item, next_first; /* where the next piece begins */
	size_t end_item;              /* the file's items end before it */
	size_t taken, hashed;         /* pieces */
	struct slot slot[SLOTS];      /* piece i is in slot i % SLOTS */
	struct err err;               /* the first failure, after which all threads stop */
};

/* Bytes of an element on its way through the slot. */
static size_t
read_size(const struct extdata_form *f)
{
	return elem_size(f->rounded ? ELEM_F32 : f->dtype);
}

/*
 * Call with the lock held. A piece of a transposed item is several whole stored rows, or a part of one row.
 */
static bool
piece_take(struct writer *w, struct piece *ret)
{
	const struct extdata_item *it;
	size_t count, n, row, size;

	if (w->next_item == w->end_item)
		return false;
	it = &w->x->item[w->next_item];
	count = (size_t)extdata_form_count(it->weight, &it->form);
	size = elem_size(it->form.dtype);
	n = MIN(PIECE_LEN / MAX(size, read_size(&it->form)), count - w->next_first);
	row = (size_t)it->form.rows;
	if (row)
		n = n < row ? MIN(n, row - w->next_first % row) : n - n % row;
	ret->item = it;
	ret->first = w->next_first;
	ret->n = n;
	ret->last = ret->first + n == count;
	ret->head_len = ret->first ? 0 : it->head_len;
	ret->offset = it->place.offset + ret->first * size - ret->head_len;
	ret->len = ret->head_len + n * size + (ret->last ? it->pad : 0);
	w->next_first = ret->last ? 0 : ret->first + n;
	w->next_item += ret->last;
	w->taken++;
	return true;
}

/* The bytes of a piece. */
static char *
piece_data(const struct slot *s)
{
	return s->data + EXTDATA_HEAD_MAX - s->piece.head_len;
}

/* Reads the elements. A weight that holds NaN or infinity, or became infinite on the way, has no place in a model. */
static int
piece_read(const struct piece *p, char *data, struct err *e)
{
	const struct extdata_form *form = &p->item->form;
	const struct weight *weight = p->item->weight;
	const enum elem to = form->rounded ? ELEM_F32 : form->dtype;
	size_t rows = (size_t)form->rows, cols = (size_t)form->cols;
	int r;

	if (form->floats) {
		memcpy(data, form->floats + p->first, p->n * sizeof(*form->floats));
		return 0;
	}
	if (rows == 0)
		r = weight_read(weight, to, p->first, p->n, data, e);
	else
		r = weight_read_transposed(weight, to, cols, p->first % rows, p->first / rows,
					   MIN(rows, p->n), MAX(p->n / rows, 1), data, e);
	if (r == 0 && convert_count_bad(to, data, p->n))
		r = weight_blame(weight, to, e);
	return r;
}

/*
 * Rounds a piece where it is, stored row by row. A matrix is transposed, with a scale for each stored
 * column and a factor for each stored row; a table has a scale for each row.
 */
static void
piece_round(const struct piece *p, char *data)
{
	const struct rounded *m = p->item->form.rounded;
	const size_t width = m->input ? m->rows : m->cols;
	const float *from = (const float *)(void *)data, *smooth = m->input ? m->input->smooth : NULL;
	int8_t *to = (int8_t *)(void *)data;
	size_t done, n, row, col;

	for (done = 0; done < p->n; done += n) {
		row = (p->first + done) / width;
		col = (p->first + done) % width;
		n = MIN(width - col, p->n - done);
		if (m->input)
			quantize_each(from + done, smooth ? smooth[row] : 1, m->scale + col, n, to + done);
		else
			quantize_all(from + done, m->scale[row], n, to + done);
	}
}

static int
piece_convert(const struct writer *w, struct slot *s, struct err *e)
{
	const struct piece *p = &s->piece;
	const struct extdata_form *form = &p->item->form;
	char *data = s->data + EXTDATA_HEAD_MAX;
	float *plus = (float *)(void *)data;
	size_t i;
	int r = piece_read(p, data, e);

	if (r < 0)
		return r;
	if (form->rounded)
		piece_round(p, data);
	if (form->transform == IR_PLUS_ONE)
		for (i = 0; i < p->n; i++)
			plus[i] += 1.0f;
	if (p->head_len)
		memcpy(piece_data(s), w->x->heads.data + p->item->head, p->head_len);
	if (p->last)
		memset(data + p->n * elem_size(form->dtype), 0, p->item->pad);
	return 0;
}

static int
bytes_write(const struct writer *w, const void *data, size_t len, uint64_t offset, struct err *e)
{
	const char *from = data;
	size_t done = 0;
	ssize_t k;

	while (done < len) {
		k = pwrite(w->fd, from + done, len - done, (off_t)(offset + done));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_errno(e, E_IO, errno, "cannot write '%s'", w->path);
		done += (size_t)k;
	}
	/* Starts the disk write; settle() waits for it and reports errors. */
	(void)sync_file_range(w->fd, (off_t)offset, (off_t)len, SYNC_FILE_RANGE_WRITE);
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
		if (piece_convert(w, s, &e) == 0)
			(void)bytes_write(w, piece_data(s), s->piece.len, s->piece.offset, &e);
		pthread_mutex_lock(&w->lock);
		if (e.code && w->err.code == 0)
			w->err = e;
		s->ready = true;
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Waits until the disk has written the window before the one at `end`, and drops it from the page cache. */
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

/* Waits for the next piece in order; NULL when a converter has failed. */
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
	uint64_t end = w->x->prefix_len;
	struct slot *s;
	int r;

	r = sha256_new(&h, e);
	if (r == 0 && w->x->prefix) {
		sha256_add(h, w->x->prefix, w->x->prefix_len);
		r = bytes_write(w, w->x->prefix, w->x->prefix_len, 0, e);
	}
	while (r == 0 && end < w->len) {
		s = slot_wait(w, e);
		if (!s)
			return e->code;
		sha256_add(h, piece_data(s), s->piece.len);
		end = s->piece.offset + s->piece.len;
		weight = s->piece.item->weight;
		if (s->piece.last)
			st_drop(weight->file, weight->tensor->data, weight->tensor->len);
		slot_free(w, s);
		r = settle(w, end, e);
		if (progress)
			progress(userdata, end, w->len, weight->name);
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
		return err_no_memory(e);
	for (i = 0; i < SLOTS; i++)
		w->slot[i].data = memory + (size_t)i * SLOT_LEN;
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

/*
 * Allocates all blocks of the file before its first byte is written, so that a full disk is noticed at
 * once. `need_len` includes the files that follow.
 */
static int
space_take(int fd, const char *path, uint64_t len, uint64_t need_len, struct err *e)
{
	char need[32], have[32];
	uint64_t free_len;
	int r;

	r = fs_free_bytes(path, &free_len, e);
	if (r < 0)
		return r;
	if (free_len < need_len)
		return err_set(e, E_NO_SPACE, "the weights need %s, but '%s' has only %s free",
			       str_bytes(need_len, need, sizeof(need)), path,
			       str_bytes(free_len, have, sizeof(have)));
	if (len == 0 || fallocate(fd, 0, 0, (off_t)len) == 0)
		return 0;
	if (errno == EOPNOTSUPP && ftruncate(fd, (off_t)len) == 0)
		return 0;
	return err_errno(e, E_IO, errno, "cannot allocate %s for '%s'", str_bytes(len, need, sizeof(need)),
			 path);
}

int
extdata_write(const struct extdata *x, size_t file, const char *path, onnx_progress_fn progress,
	      void *userdata, char ret_sha256[SHA256_HEX_LEN + 1], struct err *e)
{
	struct writer w = {
		.x = x,
		.len = x->file[file],
		.path = path,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	_cleanup_close_ int fd = -1;
	struct err local = ERR_INIT;
	uint64_t need_len = 0;
	size_t i;
	int r;

	/* Always make a new file: an existing one could have a second hard link, and readers refuse
	 * external data with two links. */
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(e, E_IO, errno, "cannot replace '%s'", path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot create '%s'", path);
	w.fd = fd;
	while (w.next_item < x->n && x->item[w.next_item].place.file < file)
		w.next_item++;
	for (w.end_item = w.next_item; w.end_item < x->n && x->item[w.end_item].place.file == file;)
		w.end_item++;
	for (i = file; i < x->n_file; i++)
		need_len += x->file[i];
	r = space_take(fd, path, w.len, need_len, &local);
	if (r == 0)
		r = write_all(&w, progress, userdata, ret_sha256, &local);
	if (r == 0)
		r = fs_sync_file(fd, w.len, path, &local);
	if (r < 0) {
		(void)unlink(path);
		return err_set(e, r, "%s", local.msg);
	}
	return 0;
}
