#include "interrupt.h"

#include <errno.h>
#include <sys/signalfd.h>

int
interrupt_open(struct interrupt *i, enum interrupt_by by, struct err *e)
{
	sigset_t signals;
	int fd;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	if (by == INTERRUPT_EVERY) {
		(void)sigaddset(&signals, SIGTERM);
		(void)sigaddset(&signals, SIGHUP);
	}
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &signals, &i->before) < 0) {
		closep(&fd);
		return err_errno(e, E_IO, errno, "cannot wait for signals");
	}
	i->fd = fd;
	return 0;
}

bool
interrupt_take(const struct interrupt *i)
{
	struct signalfd_siginfo info;

	return read(i->fd, &info, sizeof(info)) == (ssize_t)sizeof(info);
}

void
interrupt_close(struct interrupt *i)
{
	if (i->fd < 0)
		return;
	/* Drop pending signals, which were handled already, before the signals are unblocked. */
	while (interrupt_take(i))
		;
	(void)close(TAKE_FD(i->fd));
	(void)sigprocmask(SIG_SETMASK, &i->before, NULL);
}
