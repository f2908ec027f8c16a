#include "map.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fs.h"

struct map_range {
	struct map_range *_Atomic next;
	const unsigned char *data;
	uint64_t len;
	int fd;
	char *path;
};

/* Changed only under the lock. The signal handler does not take it; it just follows the pointers. */
static struct map_range *_Atomic ranges;
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;
static map_lost_fn *lost;

static void
range_add(struct map_range *r)
{
	(void)pthread_mutex_lock(&ranges_lock);
	atomic_store(&r->next, atomic_load(&ranges));
	atomic_store(&ranges, r);
	(void)pthread_mutex_unlock(&ranges_lock);
}

static void
range_remove(const struct map_range *r)
{
	struct map_range *_Atomic *at = &ranges;

	(void)pthread_mutex_lock(&ranges_lock);
	while (atomic_load(at) != r)
		at = &atomic_load(at)->next;
	atomic_store(at, atomic_load(&r->next));
	(void)pthread_mutex_unlock(&ranges_lock);
}

static void
range_freep(struct map_range **r)
{
	if (!*r)
		return;
	if ((*r)->fd >= 0)
		(void)close((*r)->fd);
	free((*r)->path);
	free(*r);
}

int
map_fd_take(int fd, uint64_t len, const char *path, int code, struct map *ret, struct err *e)
{
	_cleanup_(range_freep) struct map_range *r = calloc(1, sizeof(*r));
	void *p = NULL;

	if (!r)
		(void)close(fd);
	else
		r->fd = fd;
	if (!r || !(r->path = strdup(path)))
		return err_set(e, E_NO_MEMORY, "memory ran out mapping '%s'", path);
	if (len) {
		p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			return err_errno(e, code, errno, "cannot map '%s'", path);
	}
	r->data = p;
	r->len = len;
	range_add(r);
	*ret = (struct map){.data = p, .len = len, .range = TAKE(r)};
	return 0;
}

int
map_open(const char *path, int code, struct map *ret, struct err *e)
{
	uint64_t len;
	int fd, r;

	r = fs_open_file(path, code, &fd, &len, e);
	return r < 0 ? r : map_fd_take(fd, len, path, code, ret, e);
}

void
map_close(struct map *m)
{
	if (m->range) {
		range_remove(m->range);
		if (m->data)
			(void)munmap((void *)(uintptr_t)m->data, m->len);
		range_freep(&m->range);
	}
	*m = (struct map){.data = NULL};
}

int
map_fd(const struct map *m)
{
	return m->range ? m->range->fd : -1;
}

static void
range_lost(const struct map_range *r)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	while (atomic_flag_test_and_set(&told)) /* another thread already reports the error and ends the
                                                 * process */
		(void)pause();
	if (fstat(r->fd, &st) == 0 && (uint64_t)st.st_size < r->len)
		(void)err_set(&e, E_SOURCE_CHANGED,
			      "'%s' was cut from %llu to %llu bytes while it was read; start again when it "
			      "is complete",
			      r->path, (unsigned long long)r->len, (unsigned long long)st.st_size);
	else
		(void)err_set(&e, E_IO, "'%s' cannot be read: its disk or file system failed", r->path);
	lost(&e);
	_exit(err_exit_status(e.code));
}

static void
on_bus(int sig, siginfo_t *info, void *context)
{
	const unsigned char *at = info->si_addr;
	const struct map_range *r;

	(void)context;
	for (r = atomic_load(&ranges); r; r = atomic_load(&r->next))
		if (r->data && at >= r->data && at < r->data + ALIGN_UP(r->len, 4096))
			range_lost(r);
	(void)signal(sig, SIG_DFL); /* not one of our mappings: repeating the access ends the process */
}

void
map_catch(map_lost_fn *fn)
{
	struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	lost = fn;
	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGBUS, &sa, NULL);
}
