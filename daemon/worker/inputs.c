#include "inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/fs.h"

#define BLOCK_LEN (1u << 20)
#define NICE 10

struct inputs {
	const struct checkpoint *checkpoint;
	pthread_t thread;
	bool joined;
	atomic_bool stop;
	struct err err; /* of the thread; ours once it is joined */
	char (*sha256)[SHA256_HEX_LEN + 1];
};

static int
shard_read(struct inputs *in, int fd, const struct st_file *f, struct sha256 *h, struct err *e)
{
	_cleanup_free_ char *block = malloc(BLOCK_LEN);
	uint64_t len = 0;
	ssize_t n = 1;

	if (!block)
		return err_set(e, E_NO_MEMORY, "memory ran out hashing '%s'", st_path(f));
	while (n && !in->stop) {
		n = read(fd, block, BLOCK_LEN);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, E_IO, errno, "cannot read '%s'", st_path(f));
		sha256_add(h, block, (size_t)n);
		len += (uint64_t)n;
	}
	if (len != st_len(f) && !in->stop)
		return err_set(e, E_BAD_CHECKPOINT, "'%s' changed while it was converted", st_path(f));
	return 0;
}

static int
shard_hash(struct inputs *in, size_t i, struct err *e)
{
	const struct st_file *f = checkpoint_file(in->checkpoint, i);
	_cleanup_(sha256_free) struct sha256 *h = NULL;
	_cleanup_close_ int fd = -1;
	uint64_t len;
	int r;

	r = fs_open_file(st_path(f), E_IO, &fd, &len, e);
	if (r < 0)
		return r;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	r = sha256_new(&h, e);
	if (r == 0)
		r = shard_read(in, fd, f, h, e);
	if (r == 0)
		sha256_finish(h, in->sha256[i]);
	return r;
}

static void *
inputs_main(void *arg)
{
	struct inputs *in = arg;
	size_t i;
	int r = 0;

	(void)setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone */
	for (i = 0; r == 0 && i < checkpoint_file_count(in->checkpoint) && !in->stop; i++)
		r = shard_hash(in, i, &in->err);
	return NULL;
}

int
inputs_begin(const struct checkpoint *c, struct inputs **ret, struct err *e)
{
	struct inputs *in = calloc(1, sizeof(*in));
	int r;

	if (!in)
		return err_no_memory(e);
	in->checkpoint = c;
	in->sha256 = calloc(checkpoint_file_count(c), sizeof(*in->sha256));
	r = in->sha256 ? pthread_create(&in->thread, NULL, inputs_main, in) : ENOMEM;
	if (r) {
		free(in->sha256);
		free(in);
		return err_errno(e, E_NO_MEMORY, r, "cannot start a thread");
	}
	*ret = in;
	return 0;
}

int
inputs_wait(struct inputs *in, struct err *e)
{
	(void)pthread_join(in->thread, NULL);
	in->joined = true;
	return in->err.code ? err_set(e, in->err.code, "%s", in->err.msg) : 0;
}

void
inputs_free(struct inputs **in)
{
	if (!*in)
		return;
	(*in)->stop = true;
	if (!(*in)->joined)
		(void)pthread_join((*in)->thread, NULL);
	free((*in)->sha256);
	free(*in);
	*in = NULL;
}

const char *
inputs_sha256(const struct inputs *in, size_t i)
{
	return in->sha256[i];
}
