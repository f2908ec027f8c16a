#include "strays.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"
#include "cgroup.h"

/* Longest wait for killed processes. Only one that waits for a device needs longer. */
#define AGAIN_MS 10
#define END_TRIES 500

/* Time for one part of a pass. Checking a process takes about 10 us; requests wait meanwhile. */
#define SLICE_US 5000

enum step {
	STEP_DONE, /* all have ended */
	STEP_MORE, /* continue the pass at the next turn of the loop */
	STEP_WAIT, /* until killed processes have ended */
};

/* Longest environment: the kernel allows 6 MiB for environment and arguments together. */
#define ENVIRON_MAX (6u << 20)

static int64_t
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Returns no text for a process that has ended or whose environment we may not read. */
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

/* Close the pidfds of processes that have ended. */
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

/* Check it again after opening the pidfd: before that, its process id may have been reused. */
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
pass_end(struct strays *s)
{
	if (s->proc)
		(void)closedir(TAKE(s->proc));
}

/* Read a part of /proc, for one slice of time. Returns true at the end of the pass. */
static bool
look(struct strays *s)
{
	const int64_t until_us = now_us() + SLICE_US;
	struct buf b = BUF_INIT;
	const struct dirent *entry;

	while ((entry = readdir(s->proc)) && now_us() < until_us)
		if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name))
			look_at(s, entry->d_name, &b);
	buf_release(&b);
	return !entry;
}

/* Processes cannot leave a control group, so kill it whole, without reading /proc. */
static bool
group_step(struct strays *s)
{
	if (!s->killed)
		s->killed = cgroup_count(s->cgroup);
	return cgroup_remove(s->cgroup);
}

/*
 * One step of the search. If a pass found processes, another pass follows when they have ended; the first pass that
 * finds none is the last.
 */
static enum step
step(struct strays *s)
{
	if (s->cgroup && !s->roams)
		return group_step(s) ? STEP_DONE : STEP_WAIT;
	held_check(s);
	if (s->n_held)
		return STEP_WAIT;
	if (!s->proc) {
		s->proc = opendir("/proc");
		s->killed_before = s->killed;
		if (!s->proc)
			return STEP_DONE;
	}
	if (!look(s))
		return STEP_MORE;
	pass_end(s);
	return s->killed == s->killed_before && cgroup_remove(s->cgroup) ? STEP_DONE : STEP_WAIT;
}

static void
again_set(struct strays *s, enum step how)
{
	loop_timer_set(s->loop, &s->again, how == STEP_MORE ? 1 : AGAIN_MS);
}

static void
again_due(void *arg)
{
	struct strays *s = arg;

	const enum step how = step(s);

	if (how == STEP_DONE)
		s->gone(s->arg);
	else
		again_set(s, how);
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
	pass_end(s);
	while (s->n_held)
		(void)close(s->held[--s->n_held]);
	free(TAKE(s->cgroup));
}

bool
strays_kill(struct strays *s)
{
	const enum step how = step(s);

	if (how != STEP_DONE)
		again_set(s, how);
	return how == STEP_DONE;
}

void
strays_kill_now(struct strays *s)
{
	while (step(s) == STEP_MORE)
		;
}

uint64_t
strays_end(const char *nonce)
{
	struct strays s;
	int tries = END_TRIES;
	enum step how;

	if (strays_init(&s, /*l=*/NULL, nonce, NULL, NULL, NULL) < 0)
		return 0;
	while ((how = step(&s)) != STEP_DONE && tries > 0)
		if (how == STEP_WAIT) {
			(void)usleep(AGAIN_MS * 1000);
			tries--;
		}
	strays_release(&s);
	return s.killed;
}
