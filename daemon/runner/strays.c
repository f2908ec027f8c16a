#include "strays.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/str.h"
#include "cgroup.h"

/* A killed process needs no longer to go, but for one that a device holds. */
#define AGAIN_MS 10
#define END_TRIES 500

/* The environment of a process is no longer: the kernel allows a program 6 MiB of it and of its arguments. */
#define ENVIRON_MAX (6u << 20)

/* Of a process that has ended, or is not ours to look at, there is none. */
static bool
environ_has(const char *pid, const char *mark, struct buf *b)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	const char *p;
	ssize_t n;
	char *to;

	(void)snprintf(path, sizeof(path), "/proc/%s/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	buf_clear(b);
	while (b->len < ENVIRON_MAX && (to = buf_reserve(b, 16384)) && (n = read(fd, to, 16384)) > 0)
		b->len += (size_t)n;
	buf_add(b, "", 1);
	if (buf_failed(b, NULL) < 0)
		return false;
	for (p = b->data; p < b->data + b->len; p += strlen(p) + 1)
		if (str_eq(p, mark))
			return true;
	return false;
}

/* Drops the descriptors of those that have ended. */
static void
held_check(struct strays *s)
{
	size_t i = 0;

	while (i < s->n_held) {
		struct pollfd p = {.fd = s->held[i], .events = POLLIN};

		if (poll(&p, 1, 0) == 0) {
			i++;
			continue;
		}
		(void)close(s->held[i]);
		s->held[i] = s->held[--s->n_held];
	}
}

/* Once it is held, it is looked at again: until then its number may have become another's. */
static void
look_at(struct strays *s, const char *name, struct buf *b)
{
	_cleanup_close_ int fd = -1;

	if (!environ_has(name, s->mark, b))
		return;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)strtol(name, NULL, 10), 0);
	if (fd < 0 || !environ_has(name, s->mark, b) ||
	    syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
		return;
	s->killed++;
	if (s->n_held < STRAYS_HELD_MAX)
		s->held[s->n_held++] = TAKE_FD(fd);
}

static void
look(struct strays *s)
{
	struct buf b = BUF_INIT;
	DIR *d = opendir("/proc");
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name))
			look_at(s, entry->d_name, &b);
	if (d)
		(void)closedir(d);
	buf_release(&b);
}

/* One step: looks again once all that the last look found has ended. */
static bool
step(struct strays *s)
{
	held_check(s);
	if (s->n_held == 0)
		look(s);
	return s->n_held == 0 && cgroup_remove(s->cgroup);
}

static void
again_due(void *arg)
{
	struct strays *s = arg;

	if (step(s))
		s->gone(s->arg);
	else
		loop_timer_set(s->loop, &s->again, AGAIN_MS);
}

int
strays_init(struct strays *s, struct loop *l, const char *nonce, void (*gone)(void *arg), void *arg,
	    struct err *e)
{
	int n;

	*s = (struct strays){.loop = l, .gone = gone, .arg = arg, .again = {.fn = again_due, .arg = s}};
	n = snprintf(s->mark, sizeof(s->mark), STRAYS_VARIABLE "=%s", nonce);
	return n < (int)sizeof(s->mark) ? 0 : err_set(e, E_INTERNAL, "the nonce '%s' is too long", nonce);
}

void
strays_release(struct strays *s)
{
	if (s->loop)
		loop_timer_stop(&s->again);
	while (s->n_held)
		(void)close(s->held[--s->n_held]);
	free(TAKE(s->cgroup));
}

bool
strays_kill(struct strays *s)
{
	if (step(s))
		return true;
	loop_timer_set(s->loop, &s->again, AGAIN_MS);
	return false;
}

uint64_t
strays_end(const char *nonce)
{
	struct strays s;
	int tries = END_TRIES;

	if (strays_init(&s, /*l=*/NULL, nonce, NULL, NULL, NULL) < 0)
		return 0;
	while (!step(&s) && tries-- > 0)
		(void)usleep(AGAIN_MS * 1000);
	strays_release(&s);
	return s.killed;
}
