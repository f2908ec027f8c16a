#include "loop.h"

#include <errno.h>
#include <limits.h>

#define BATCH 256

/* A program has few timers (some for each worker, a handful of others), so an unordered list is enough. */
struct loop {
	int fd;
	bool stopped;
	int pending; /* index in batch[] of the next event to deliver */
	int pending_end;
	struct epoll_event batch[BATCH];
	LIST_HEAD(, loop_timer) timers;
};

int
loop_new(struct loop **ret, struct err *e)
{
	_cleanup_free_ struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return err_no_memory(e);
	LIST_INIT(&l->timers);
	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0)
		return err_errno(e, E_IO, errno, "cannot make an epoll descriptor");
	*ret = TAKE(l);
	return 0;
}

void
loop_free(struct loop **l)
{
	if (!*l)
		return;
	(void)close((*l)->fd);
	free(*l);
	*l = NULL;
}

int64_t
loop_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct loop_timer *
timer_first(const struct loop *l)
{
	struct loop_timer *t, *first = NULL;

	LIST_FOREACH(t, &l->timers, entry)
		if (!first || t->at_ms < first->at_ms)
			first = t;
	return first;
}

static int
wait_ms(const struct loop *l)
{
	const struct loop_timer *t = timer_first(l);
	int64_t ms;

	if (!t)
		return -1;
	ms = t->at_ms - loop_now_ms();
	return ms < 0 ? 0 : (int)MIN(ms, INT_MAX);
}

static void
timers_run(struct loop *l)
{
	int64_t now = loop_now_ms();
	struct loop_timer *t;

	while ((t = timer_first(l)) && t->at_ms <= now && !l->stopped) {
		loop_timer_stop(t);
		t->fn(t->arg);
	}
}

static void
fds_run(struct loop *l, int n)
{
	struct epoll_event *ev;
	struct loop_fd *w;

	l->pending_end = n;
	for (l->pending = 0; l->pending < l->pending_end;) {
		ev = &l->batch[l->pending++];
		w = ev->data.ptr;
		if (w)
			w->fn(w->arg, ev->events);
	}
}

int
loop_run(struct loop *l, struct err *e)
{
	int n;

	for (l->stopped = false; !l->stopped;) {
		n = epoll_wait(l->fd, l->batch, BATCH, wait_ms(l));
		if (n < 0 && errno != EINTR)
			return err_errno(e, E_IO, errno, "cannot wait for events");
		fds_run(l, MAX(n, 0));
		timers_run(l);
	}
	return 0;
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

int
loop_fd_watch(struct loop *l, struct loop_fd *w, uint32_t events, struct err *e)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	if (epoll_ctl(l->fd, w->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &ev) < 0)
		return err_errno(e, E_IO, errno, "cannot watch descriptor %d", w->fd);
	w->watched = true;
	return 0;
}

void
loop_fd_unwatch(struct loop *l, struct loop_fd *w)
{
	int i;

	if (!w->watched)
		return;
	(void)epoll_ctl(l->fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->watched = false;
	for (i = l->pending; i < l->pending_end; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

void
loop_timer_set(struct loop *l, struct loop_timer *t, int64_t in_ms)
{
	t->at_ms = loop_now_ms() + in_ms;
	if (!t->set)
		LIST_INSERT_HEAD(&l->timers, t, entry);
	t->set = true;
}

void
loop_timer_stop(struct loop_timer *t)
{
	if (t->set)
		LIST_REMOVE(t, entry);
	t->set = false;
}
