#include "spawn.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/str.h"
#include "environment.h"

/* The kernel kills workers first when memory runs out, long before the daemon. */
#define OOM_SCORE_ADJ 500

/* Makes a pipe: a blocking end for the child, a non-blocking end for us. */
static int
pipe_open(int *ret_ours, int *ret_theirs, bool to_child, struct err *e)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_errno(e, E_IO, errno, "cannot make a pipe");
	*ret_ours = fd[to_child];
	*ret_theirs = fd[!to_child];
	if (fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(e, E_IO, errno, "cannot make a pipe");
	return 0;
}

static char **
argv_join(char *const *prefix, const char *program)
{
	size_t n = 0, i;
	char **argv;

	while (prefix && prefix[n])
		n++;
	argv = calloc(n + 2, sizeof(*argv));
	if (!argv)
		return NULL;
	for (i = 0; i < n; i++)
		argv[i] = prefix[i];
	argv[n] = (char *)(uintptr_t)program;
	return argv;
}

/* The runner's variables, then ours, which overrides a variable of the same name. */
static char **
env_join(char *const *env, char *ours)
{
	size_t n = 0;
	char **all;

	while (env && env[n])
		n++;
	all = calloc(n + 2, sizeof(*all));
	if (!all)
		return NULL;
	if (n)
		memcpy(all, env, n * sizeof(*all));
	all[n] = ours;
	return all;
}

int
worker_spawn(const struct child_spec *spec, char *mark, const char *cgroup, struct worker_pipes *ret_pipes,
	     struct proc *ret, struct err *e)
{
	_cleanup_close_ int in = -1, out = -1, log = -1;
	_cleanup_free_ char **argv = argv_join(spec->prefix, spec->program);
	_cleanup_free_ char **env = env_join(spec->env, mark);
	_cleanup_free_ char *group = cgroup ? fs_join(cgroup, "cgroup.procs") : NULL;
	struct proc_spec ps = {
		.argv = argv,
		.env = (const char *const *)env,
		.env_passes = environment_passes,
		.oom_score_adj = OOM_SCORE_ADJ,
		.cgroup = group,
	};
	int r;

	if (!argv || !env || (cgroup && !group))
		return err_no_memory(e);
	if ((r = pipe_open(ret_pipes->in, &in, /*to_child=*/true, e)) < 0 ||
	    (r = pipe_open(ret_pipes->out, &out, /*to_child=*/false, e)) < 0 ||
	    (r = pipe_open(ret_pipes->log, &log, /*to_child=*/false, e)) < 0)
		return r;
	ps.fd_in = in;
	ps.fd_out = out;
	ps.fd_err = log;
	return proc_spawn(&ps, ret, e);
}
