#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

/* Makes only calls that are allowed between fork and exec in a program with threads. */
static bool
file_put(const char *path, const char *text)
{
	const size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool put;

	if (fd < 0)
		return false;
	put = write(fd, text, len) == (ssize_t)len;
	(void)close(fd);
	return put;
}

/* Between fork and exec, only calls that are safe after fork in a program with threads are allowed. */
static void
child_exec(const struct proc_spec *spec, const char *oom_score_adj, char *const *envp, int fd_null,
	   int fd_fail, pid_t parent)
{
	const int want[3] = {spec->fd_in, spec->fd_out, spec->fd_err};
	sigset_t none;
	int i, fd[3], errnum;
	size_t k;

	if (!spec->keep_group)
		(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* the parent may have died before prctl() took effect */
		_exit(127);
	if (spec->cgroup && !file_put(spec->cgroup, "0"))
		goto fail;
	if (*oom_score_adj)
		(void)file_put("/proc/self/oom_score_adj", oom_score_adj);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	/* First copy all three to descriptors above 2, then move them to 0, 1 and 2, because each of them
	 * may be 0, 1 or 2 already. */
	for (i = 0; i < 3; i++) {
		fd[i] = fcntl(want[i] < 0 ? fd_null : want[i], F_DUPFD_CLOEXEC, 3);
		if (fd[i] < 0)
			goto fail;
	}
	for (i = 0; i < 3; i++)
		if (dup2(fd[i], i) < 0)
			goto fail;
	(void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC); /* descriptors that libraries or our own parent
                                                         * left open */
	for (k = 0; k < spec->n_keep; k++)
		if (fcntl(spec->keep[k], F_SETFD, 0) < 0)
			goto fail;
	(void)execvpe(spec->argv[0], spec->argv, envp);
fail:
	errnum = errno;
	(void)!write(fd_fail, &errnum, sizeof(errnum));
	_exit(127);
}

/* Our environment, with the child's settings replacing ours. The caller frees the array, not the strings. */
static char **
env_merge(const struct proc_spec *spec)
{
	const char *const *over = spec->env;
	size_t n = 0, m = 0, i, k, len;
	char **env;

	while (environ[n])
		n++;
	while (over && over[m])
		m++;
	env = calloc(n + m + 1, sizeof(*env));
	if (!env)
		return NULL;
	for (i = n = 0; environ[i]; i++) {
		len = strcspn(environ[i], "=") + 1;
		for (k = 0; k < m && strncmp(environ[i], over[k], len) != 0; k++)
			;
		if (k == m && (!spec->env_passes || spec->env_passes(environ[i])))
			env[n++] = environ[i];
	}
	for (k = 0; k < m; k++)
		env[n++] = (char *)(uintptr_t)over[k];
	return env;
}

int
proc_spawn(const struct proc_spec *spec, struct proc *ret, struct err *e)
{
	_cleanup_close_ int fd_null = -1, fail_r = -1, fail_w = -1;
	_cleanup_free_ char **envp = env_merge(spec);
	char oom_score_adj[12] = ""; /* empty: unchanged */
	int fail[2], errnum;
	pid_t pid, parent = getpid();
	ssize_t n;

	if (!envp)
		return err_no_memory(e);
	if (spec->oom_score_adj)
		(void)snprintf(oom_score_adj, sizeof(oom_score_adj), "%d", spec->oom_score_adj);
	fd_null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd_null < 0 || pipe2(fail, O_CLOEXEC) < 0)
		return err_errno(e, E_IO, errno, "cannot start '%s'", spec->argv[0]);
	fail_r = fail[0];
	fail_w = fail[1];
	pid = fork();
	if (pid < 0) /* EAGAIN: the limit of processes is reached */
		return err_errno(e, errno == EAGAIN ? E_BUSY : E_IO, errno, "cannot start '%s'",
				 spec->argv[0]);
	if (pid == 0)
		child_exec(spec, oom_score_adj, envp, fd_null, fail_w, parent);
	if (!spec->keep_group)
		(void)setpgid(pid, pid); /* parent and child both do this, so that it is done whichever
                                          * runs first */
	(void)close(TAKE_FD(fail_w));
	do
		n = read(fail_r, &errnum, sizeof(errnum));
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(errnum)) {
		(void)waitpid(pid, NULL, 0);
		return err_errno(e, E_IO, errnum, "cannot start '%s'", spec->argv[0]);
	}
	ret->pid = pid;
	ret->pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by definition */
	if (ret->pidfd < 0) {
		errnum = errno;
		proc_signal(ret, SIGKILL, spec->keep_group);
		(void)waitpid(pid, NULL, 0);
		*ret = (struct proc)PROC_INIT;
		return err_errno(e, E_IO, errnum, "cannot watch '%s'", spec->argv[0]);
	}
	return 0;
}

void
proc_signal(const struct proc *p, int sig, bool keep_group)
{
	if (p->pid > 0)
		(void)kill(keep_group ? p->pid : -p->pid, sig);
}

int
proc_wait(struct proc *p, int *ret_status, struct rusage *ret_usage, struct err *e)
{
	pid_t pid;

	do
		pid = wait4(p->pid, ret_status, 0, ret_usage);
	while (pid < 0 && errno == EINTR);
	if (p->pidfd >= 0)
		(void)close(p->pidfd);
	*p = (struct proc)PROC_INIT;
	return pid < 0 ? err_errno(e, E_IO, errno, "cannot wait for a child") : 0;
}

const char *
proc_status_str(int status, char *buf, size_t len)
{
	if (WIFSIGNALED(status))
		(void)snprintf(buf, len, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(buf, len, "exit status %d", WEXITSTATUS(status));
	return buf;
}
