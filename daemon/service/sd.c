#include "sd.h"

#include "config.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

static struct watchdog {
	struct loop *loop;
	struct loop_timer timer;
	int64_t every_ms;
} watchdog;

static void
watchdog_due(void *arg)
{
	struct watchdog *w = arg;

	(void)sd_notify(/*unset_environment=*/ 0, "WATCHDOG=1");
	loop_timer_set(w->loop, &w->timer, w->every_ms);
}

void
sd_ready(struct loop *l)
{
	uint64_t usec = 0;

	(void)sd_notify(/*unset_environment=*/ 0, "READY=1");
	if (sd_watchdog_enabled(/*unset_environment=*/ 0, &usec) <= 0)
		return;
	watchdog = (struct watchdog){.loop = l, .timer = {.fn = watchdog_due, .arg = &watchdog}};
	watchdog.every_ms = (int64_t)(usec / 3000);
	watchdog_due(&watchdog);
}

void
sd_stopping(void)
{
	(void)sd_notify(/*unset_environment=*/ 0, "STOPPING=1");
}

#else

void
sd_ready(struct loop *l)
{
	(void)l;
}

void
sd_stopping(void)
{
}

#endif
