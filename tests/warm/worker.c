/*
 * Stands for colconv-worker in the tests of values: a worker of the server (server.c) does the work. Without a server, or where
 * that fails, it is the real program.
 */
#include "warm.h"

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

static int
words_add(struct warm_call *call, char *const *words)
{
	size_t n;

	for (; *words; words++) {
		n = strlen(*words) + 1;
		if (n > sizeof(call->text) - (size_t)call->len)
			return -1;
		memcpy(call->text + call->len, *words, n);
		call->len += (int32_t)n;
	}
	return 0;
}

static int
server_connect(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *path = getenv(WARM_SOCKET);
	int fd;

	if (!path || strlen(path) >= sizeof(a.sun_path))
		return -1;
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -1;
}

static int
call_send(int fd, int argc, char *const *argv)
{
	static struct warm_call call;
	char control[CMSG_SPACE(sizeof(call.fd))] __attribute__((aligned(8))) = {0};
	struct iovec iov[] = {{&call, WARM_HEAD}, {call.text, 0}};
	struct msghdr m = {
		.msg_iov = iov, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int i;

	call.argc = argc;
	if (argc > WARM_WORDS_MAX || words_add(&call, argv) < 0 || words_add(&call, environ) < 0)
		return -1;
	iov[1].iov_len = (size_t)call.len;
	for (i = 0; i < WARM_FOLDER; i++)
		call.fd[i] = i;
	call.fd[WARM_FOLDER] = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(call.fd));
	memcpy(CMSG_DATA(c), call.fd, sizeof(call.fd));
	return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Ends as the worker did. */
static int
end(int status)
{
	const struct rlimit none = {0, 0};

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(WTERMSIG(status), SIG_DFL);
	(void)raise(WTERMSIG(status));
	return 1;
}

/* ../../colconv-worker from this program's folder. */
static int
real_worker(char **argv)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	int up;

	if (n < 0)
		return 127;
	path[n] = '\0';
	for (up = 0; up < 3 && strrchr(path, '/'); up++)
		*strrchr(path, '/') = '\0';
	(void)snprintf(path + strlen(path), 32, "/colconv-worker");
	(void)execv(path, argv);
	perror(path);
	return 127;
}

int
main(int argc, char **argv)
{
	int fd = server_connect(), status;

	if (fd < 0 || call_send(fd, argc, argv) < 0)
		return real_worker(argv);
	if (recv(fd, &status, sizeof(status), 0) != sizeof(status)) {
		(void)fprintf(stderr, "the server of workers ended\n");
		return 127;
	}
	return end(status);
}
