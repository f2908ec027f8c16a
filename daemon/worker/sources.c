#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/fs.h"
#include "base/pulse.h"

#define BLOCK_LEN (1u << 20)
#define NICE 10

struct sources {
	const struct checkpoint *checkpoint;
	struct processor processor;
	char *const *reference;
	size_t n_reference;     /* those that are open */
	struct folder **folder; /* of each */
	int *fd;                /* of each */
	pthread_t thread;
	bool begun, running;
	atomic_bool stop;
	struct err err; /* the thread's error; read it only after the join */
	char (*sha256)[SHA256_HEX_LEN + 1];
};

static void
sources_freep(struct sources **s)
{
	sources_free(s);
}

static int
reference_open(struct sources *s, const char *path, struct folder_roots roots, struct err *e)
{
	const size_t i = s->n_reference;
	_cleanup_free_ char *dir = strdup(path);
	const char *name = fs_basename(path);
	uint64_t len;
	int r;

	if (!dir)
		return err_no_memory(e);
	dir[MAX(name - path, 1)] = '\0';
	r = folder_open(dir, roots, E_BAD_REFERENCE, &s->folder[i], e);
	if (r == 0)
		r = folder_open_file(s->folder[i], name, E_BAD_REFERENCE, &s->fd[i], &len, e);
	if (r == 0)
		s->n_reference++;
	else
		folder_free(&s->folder[i]);
	return r;
}

int
sources_open(const struct checkpoint *c, struct folder_roots roots, char *const *reference,
	     size_t n_reference, const char *out_dir, struct sources **ret, struct err *e)
{
	_cleanup_(sources_freep) struct sources *s = calloc(1, sizeof(*s));
	size_t i;
	int r;

	if (!s)
		return err_no_memory(e);
	s->checkpoint = c;
	s->reference = reference;
	s->folder = calloc(n_reference + 1, sizeof(struct folder *));
	s->fd = calloc(n_reference + 1, sizeof(*s->fd));
	s->sha256 = calloc(checkpoint_file_count(c), sizeof(*s->sha256));
	if (!s->folder || !s->fd || !s->sha256)
		return err_no_memory(e);
	r = processor_take(&s->processor, c, out_dir, e);
	for (i = 0; r == 0 && i < n_reference; i++)
		r = reference_open(s, reference[i], roots, e);
	if (r == 0)
		*ret = TAKE(s);
	return r;
}

void
sources_free(struct sources **ps)
{
	struct sources *s = *ps;

	if (!s)
		return;
	s->stop = true;
	if (s->running)
		(void)pthread_join(s->thread, NULL);
	while (s->n_reference) {
		(void)close(s->fd[--s->n_reference]);
		folder_free(&s->folder[s->n_reference]);
	}
	free(s->folder);
	free(s->fd);
	free(s->sha256);
	free(s);
	*ps = NULL;
}

int
sources_check(const struct sources *s, struct err *e)
{
	const struct folder *adapter = checkpoint_adapter_folder(s->checkpoint);
	size_t i;
	int r;

	r = folder_check(checkpoint_folder(s->checkpoint), e);
	if (r == 0 && adapter)
		r = folder_check(adapter, e);
	for (i = 0; r == 0 && i < s->n_reference; i++)
		r = folder_check(s->folder[i], e);
	return r;
}

const struct processor *
sources_processor(const struct sources *s)
{
	return &s->processor;
}

size_t
sources_reference_count(const struct sources *s)
{
	return s->n_reference;
}

const char *
sources_reference(const struct sources *s, size_t i)
{
	return s->reference[i];
}

const int *
sources_reference_fds(const struct sources *s)
{
	return s->fd;
}

static int
weights_read(struct sources *s, const struct st_file *f, struct sha256 *h, struct err *e)
{
	_cleanup_free_ char *block = malloc(BLOCK_LEN);
	uint64_t len = 0;
	ssize_t n = 1;

	if (!block)
		return err_set(e, E_NO_MEMORY, "memory ran out hashing '%s'", st_path(f));
	while (n && !s->stop) {
		n = pread(st_fd(f), block, BLOCK_LEN, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, E_IO, errno, "cannot read '%s'", st_path(f));
		sha256_add(h, block, (size_t)n);
		len += (uint64_t)n;
		pulse();
	}
	if (len != st_len(f) && !s->stop)
		return err_set(e, E_SOURCE_CHANGED,
			       "'%s' changed while it was converted: it has another size", st_path(f));
	return 0;
}

static int
weights_hash(struct sources *s, size_t i, struct err *e)
{
	const struct st_file *f = checkpoint_file(s->checkpoint, i);
	_cleanup_(sha256_free) struct sha256 *h = NULL;
	int r;

	(void)posix_fadvise(st_fd(f), 0, 0, POSIX_FADV_SEQUENTIAL);
	r = sha256_new(&h, e);
	if (r == 0)
		r = weights_read(s, f, h, e);
	if (r == 0)
		sha256_finish(h, s->sha256[i]);
	return r;
}

static void *
hash_main(void *arg)
{
	struct sources *s = arg;
	size_t i;
	int r = 0;

	(void)setpriority(PRIO_PROCESS, 0, NICE); /* for this thread only */
	for (i = 0; r == 0 && i < checkpoint_file_count(s->checkpoint) && !s->stop; i++)
		r = weights_hash(s, i, &s->err);
	return NULL;
}

int
sources_hash_begin(struct sources *s, struct err *e)
{
	int r;

	if (s->begun)
		return 0;
	r = pthread_create(&s->thread, NULL, hash_main, s);
	if (r)
		return err_errno(e, E_NO_MEMORY, r, "cannot start a thread");
	s->begun = s->running = true;
	return 0;
}

int
sources_hash_wait(struct sources *s, struct err *e)
{
	if (s->running)
		(void)pthread_join(s->thread, NULL);
	s->running = false;
	return s->err.code ? err_set(e, s->err.code, "%s", s->err.msg) : 0;
}

const char *
sources_sha256(const struct sources *s, size_t i)
{
	return s->sha256[i];
}
