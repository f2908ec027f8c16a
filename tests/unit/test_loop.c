#include "test.h"

#include "base/loop.h"

struct fixture {
	struct loop *loop;
	struct loop_timer timers[4];
	struct loop_fd fds[2];
	char order[8];
};

static struct fixture f;

static int
setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	return loop_new(&f.loop, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(&f.loop);
	return 0;
}

static void
note(void *arg)
{
	f.order[strlen(f.order)] = *(const char *)arg;
}

static void
stop(void *arg)
{
	note(arg);
	loop_stop(f.loop);
}

static void
stop_other(void *arg)
{
	note(arg);
	loop_timer_stop(&f.timers[2]);
}

TEST_WITH(test_timers_in_order_of_time, setup, teardown)
{
	char a[] = "a", b[] = "b", c[] = "c", d[] = "d";

	f.timers[0] = (struct loop_timer){.fn = stop, .arg = d};
	f.timers[1] = (struct loop_timer){.fn = stop_other, .arg = b};
	f.timers[2] = (struct loop_timer){.fn = note, .arg = c}; /* due with b, which stops it */
	f.timers[3] = (struct loop_timer){.fn = note, .arg = a};
	loop_timer_set(f.loop, &f.timers[0], 30);
	loop_timer_set(f.loop, &f.timers[1], 10);
	loop_timer_set(f.loop, &f.timers[2], 11);
	loop_timer_set(f.loop, &f.timers[3], 1000000);
	loop_timer_set(f.loop, &f.timers[3], 0); /* the timer was set to a later time */
	assert_int_equal(loop_run(f.loop, NULL), 0);
	assert_string_equal(f.order, "abd");
}

static void
unwatch_both(void *arg, uint32_t events)
{
	(void)events;
	note(arg);
	loop_fd_unwatch(f.loop, &f.fds[0]);
	loop_fd_unwatch(f.loop, &f.fds[1]);
	loop_stop(f.loop);
}

/* Both descriptors are ready in the same turn. The callback of the first one stops the other. */
TEST_WITH(test_unwatched_is_not_called, setup, teardown)
{
	char a[] = "a";
	int p[2];
	int i;

	assert_int_equal(pipe(p), 0);
	(void)close(p[1]);
	for (i = 0; i < 2; i++) {
		f.fds[i] = (struct loop_fd){.fn = unwatch_both, .arg = a, .fd = i ? dup(p[0]) : p[0]};
		assert_int_equal(loop_fd_watch(f.loop, &f.fds[i], EPOLLIN, NULL), 0);
	}
	assert_int_equal(loop_run(f.loop, NULL), 0);
	assert_string_equal(f.order, "a");
	(void)close(f.fds[0].fd);
	(void)close(f.fds[1].fd);
}

TEST_WITH(test_watch_of_a_closed_descriptor_fails, setup, teardown)
{
	struct loop_fd w = {.fd = 9999};
	struct err e = ERR_INIT;

	assert_int_equal(loop_fd_watch(f.loop, &w, EPOLLIN, &e), E_IO);
	assert_error(&e, E_IO, "cannot watch descriptor 9999");
}

int
main(void)
{
	return tests_run("loop", NULL, NULL);
}
