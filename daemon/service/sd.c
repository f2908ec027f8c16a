#include "sd.h"

#include "config.h"

#ifdef HAVE_SYSTEMD
#include <inttypes.h>
#include <stdarg.h>
#include <systemd/sd-daemon.h>
#include <time.h>

static struct watchdog {
	struct loop *loop;
	struct loop_timer timer;
	int64_t every_ms;
} watchdog;

static void tell(const char *fmt, ...) _printf_(1, 2);

static void
tell(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)sd_notify(/*unset_environment=*/0, text);
}

bool
sd_is_there(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

void
sd_ready(void)
{
	tell("READY=1\nMAINPID=%d", (int)getpid());
}

void
sd_reloading(void)
{
	struct timespec ts;

	/* In microseconds: systemd ignores a message whose time is before its own request to reload. */
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	tell("RELOADING=1\nMONOTONIC_USEC=%" PRId64, (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

void
sd_stopping(void)
{
	tell("STOPPING=1");
}

void
sd_status(const char *fmt, ...)
{
	static char last[128];
	char text[sizeof(last)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strcmp(text, last) == 0)
		return;
	memcpy(last, text, sizeof(last));
	tell("STATUS=%s", text);
}

void
sd_extend(int64_t ms)
{
	tell("EXTEND_TIMEOUT_USEC=%" PRId64, ms * 1000);
}

static void
watchdog_due(void *arg)
{
	struct watchdog *w = arg;

	tell("WATCHDOG=1");
	loop_timer_set(w->loop, &w->timer, w->every_ms);
}

void
sd_watchdog(struct loop *l)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(/*unset_environment=*/0, &usec) <= 0)
		return;
	watchdog = (struct watchdog){.loop = l, .timer = {.fn = watchdog_due, .arg = &watchdog}};
	watchdog.every_ms = (int64_t)(usec / 3000);
	watchdog_due(&watchdog);
}

size_t
sd_sockets(void)
{
	int n = sd_listen_fds(/*unset_environment=*/1);

	assert(SD_SOCKETS_START == SD_LISTEN_FDS_START);
	return n > 0 ? (size_t)n : 0;
}

#else

bool
sd_is_there(void)
{
	return false;
}

void
sd_ready(void)
{
}

void
sd_reloading(void)
{
}

void
sd_stopping(void)
{
}

void
sd_status(const char *fmt, ...)
{
	(void)fmt;
}

void
sd_extend(int64_t ms)
{
	(void)ms;
}

void
sd_watchdog(struct loop *l)
{
	(void)l;
}

size_t
sd_sockets(void)
{
	return 0;
}

#endif
