/*
 * Runs colconv-worker's main() in forks of one process, which has loaded libtorch already.
 *
 * Loading libtorch takes longer than a tiny conversion. The tests of values convert hundreds of tiny checkpoints, so each
 * process of pytest starts one server and gets its workers from it; colconv-worker in this folder asks the server for them
 * (warm.h). Tests of the daemon, of signals and of limits start the real program instead.
 *
 * Stdin is a socket that listens. The server ends when its parent does.
 */
#include "warm.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static int worker_main(int argc, char **argv);
#define main worker_main
#include "worker/main.c"
#undef main

#define CLIENTS_MAX 16

struct client {
	pid_t pid; /* 0: the slot is free */
	int fd;    /* it closes when the client is killed */
};

static struct client clients[CLIENTS_MAX];

/*
 * Keeps the worker, and its colconv-parity, on one CPU, in turns. The tests run several at once, and a second thread of ONNX
 * Runtime for a tiny graph would only wait, busily.
 */
static void
cpu_take(unsigned turn)
{
	cpu_set_t all, one;
	int i;

	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return;
	turn %= (unsigned)CPU_COUNT(&all);
	for (i = 0; !CPU_ISSET(i, &all) || turn-- > 0; i++)
		;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

/* The copy of the server becomes a worker with the client's files, arguments and environment. */
static int
worker_run(struct warm_call *call)
{
	char *argv[WARM_WORDS_MAX + 1], *p = call->text, *end = call->text + call->len;
	int i, argc = 0;

	if (fchdir(call->fd[WARM_FOLDER]) < 0)
		return 127;
	for (i = 0; i < WARM_FOLDER; i++)
		if (dup2(call->fd[i], i) < 0)
			return 127;
	for (i = 0; i < WARM_FDS; i++)
		(void)close(call->fd[i]);
	for (; argc < call->argc && p < end; p += strlen(p) + 1)
		argv[argc++] = p;
	argv[argc] = NULL;
	(void)clearenv();
	for (; p < end; p += strlen(p) + 1)
		(void)putenv(p);
	return worker_main(argc, argv);
}

/* Without libtorch's destructors, which cost as much as a tiny conversion. The sanitizers look for leaks at an exit. */
static void
worker_end(int status)
{
#ifndef __SANITIZE_ADDRESS__
	(void)fflush(NULL);
	_exit(status);
#else
	exit(status);
#endif
}

static struct client *
slot_find(void)
{
	size_t i;

	for (i = 0; i < CLIENTS_MAX; i++)
		if (!clients[i].pid)
			return &clients[i];
	return NULL;
}

static void
client_accept(const sigset_t *signals)
{
	const int fd = accept4(STDIN_FILENO, NULL, NULL, SOCK_CLOEXEC);
	struct client *c = slot_find();
	static struct warm_call call;
	static unsigned turn;
	int i;

	if (fd < 0)
		return;
	if (!c || warm_receive(fd, &call) < 0) {
		(void)close(fd);
		return;
	}
	c->fd = fd;
	turn++;
	c->pid = fork();
	if (c->pid == 0) {
		cpu_take(turn + (unsigned)getppid());
		(void)setpgid(0, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)sigprocmask(SIG_UNBLOCK, signals, NULL);
		worker_end(worker_run(&call));
	}
	for (i = 0; i < WARM_FDS; i++)
		(void)close(call.fd[i]);
	if (c->pid < 0) {
		c->pid = 0;
		(void)close(fd);
	}
}

/* Sends how each worker that ended did so. */
static void
workers_reap(void)
{
	int status;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < CLIENTS_MAX; i++)
			if (clients[i].pid == pid) {
				(void)send(clients[i].fd, &status, sizeof(status), MSG_NOSIGNAL);
				(void)close(clients[i].fd);
				clients[i].pid = 0;
			}
}

static void
serve(int signal_fd, const sigset_t *signals)
{
	struct pollfd p[CLIENTS_MAX + 2] = {{.fd = STDIN_FILENO, .events = POLLIN},
					    {.fd = signal_fd, .events = POLLIN}};
	struct signalfd_siginfo info;
	size_t i;

	for (i = 0; i < CLIENTS_MAX; i++)
		p[i + 2] = (struct pollfd){.fd = clients[i].pid ? clients[i].fd : -1, .events = POLLRDHUP};
	if (poll(p, CLIENTS_MAX + 2, -1) < 0)
		return;
	for (i = 0; i < CLIENTS_MAX; i++)
		if (p[i + 2].revents)
			(void)kill(-clients[i].pid, SIGKILL); /* as its client was */
	if (p[1].revents && read(signal_fd, &info, sizeof(info)) > 0)
		workers_reap();
	if (p[0].revents)
		client_accept(signals);
}

int
main(void)
{
	sigset_t signals;
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return 1;
	for (;;)
		serve(fd, &signals);
}
