#include "pulse.h"

#include <stdatomic.h>
#include <time.h>

static atomic_ullong count;
static atomic_llong allowed_until; /* seconds on the monotonic clock */

static long long
now_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void
pulse(void)
{
	(void)atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

void
pulse_allow(unsigned seconds)
{
	atomic_store(&allowed_until, seconds ? now_seconds() + seconds : 0);
	pulse();
}

bool
pulse_felt(void)
{
	static unsigned long long seen;
	const unsigned long long is = atomic_load_explicit(&count, memory_order_relaxed);
	const bool moved = is != seen;

	seen = is;
	return moved || now_seconds() < atomic_load(&allowed_until);
}
