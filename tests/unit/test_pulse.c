#include "test.h"

#include <pthread.h>

#include "base/pulse.h"

TEST(test_a_pulse_is_felt_once)
{
	(void)pulse_felt(); /* forget earlier pulses */
	assert_false(pulse_felt());
	pulse();
	pulse();
	assert_true(pulse_felt());
	assert_false(pulse_felt());
}

static void *
work(void *arg)
{
	(void)arg;
	pulse();
	return NULL;
}

TEST(test_a_pulse_of_another_thread_is_felt)
{
	pthread_t thread;

	(void)pulse_felt();
	assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(pulse_felt());
}

TEST(test_allowed_time_counts_as_alive_until_it_is_over)
{
	pulse_allow(1000);
	assert_true(pulse_felt());
	assert_true(pulse_felt());
	pulse_allow(0); /* is itself a pulse */
	assert_true(pulse_felt());
	assert_false(pulse_felt());
}

TEST(test_allowed_time_passes)
{
	pulse_allow(1);
	(void)pulse_felt();
	while (pulse_felt())
		;
	assert_false(pulse_felt());
}

int
main(void)
{
	return tests_run("pulse", NULL, NULL);
}
