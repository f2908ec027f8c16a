/*
 * An event loop for one thread: it calls back for file descriptors and timers.
 *
 * The owner stores each watch, and zeroes it before first use. The loop uses the watch while it is set. A
 * callback may set, stop or free any watch, including its own.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <sys/epoll.h>
#include <sys/queue.h>

#include "err.h"

struct loop;

typedef void (*loop_fd_fn)(void *arg, uint32_t events); /* EPOLLIN and the like, level-triggered */
typedef void (*loop_timer_fn)(void *arg);

struct loop_fd {
	loop_fd_fn fn;
	void *arg;
	int fd;
	bool watched;
};

struct loop_timer {
	LIST_ENTRY(loop_timer) entry;
	loop_timer_fn fn;
	void *arg;
	int64_t at_ms; /* on the clock of loop_now_ms(), while set */
	bool set;
};

int loop_new(struct loop **ret, struct err *e);
void loop_free(struct loop **l);

/* Delivers callbacks until loop_stop(). */
int loop_run(struct loop *l, struct err *e);
void loop_stop(struct loop *l);

/* Starts to watch w->fd, or changes the events that are watched. */
int loop_fd_watch(struct loop *l, struct loop_fd *w, uint32_t events, struct err *e);

/* Call before closing the descriptor. Does nothing when it is not watched. */
void loop_fd_unwatch(struct loop *l, struct loop_fd *w);

/* Calls back once, in that many milliseconds. Moves a timer that is already set. */
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t in_ms);
void loop_timer_stop(struct loop_timer *t);

/* Milliseconds of the monotonic clock. */
int64_t loop_now_ms(void);

#endif
