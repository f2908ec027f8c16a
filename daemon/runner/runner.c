#include "runner.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/str.h"
#include "gpus.h"

#define WORDS_MAX 256

void
runners_init(struct runners *rs)
{
	*rs = (struct runners){.rows = NULL};
	LIST_INIT(&rs->runs);
}

static void
runner_release(struct runner *r)
{
	free(r->name);
	free(r->text);
	free(r->env);
	free(r->prefix);
}

void
runners_release(struct runners *rs)
{
	size_t i;

	for (i = 0; i < rs->n; i++)
		runner_release(&rs->rows[i]);
	free(rs->rows);
	if (rs->orphans.watched) {
		loop_timer_stop(&rs->reap);
		loop_fd_unwatch(rs->loop, &rs->orphans);
		(void)close(rs->orphans.fd);
	}
	cgroup_release(&rs->cgroup);
	runners_init(rs);
}

static int
runner_parse(struct runner *r, const char *line, struct err *e)
{
	char *words[WORDS_MAX] = {NULL}, *save, *w;
	size_t n = 0, i = 2, n_env;
	uint64_t slots;
	int code;

	r->text = strdup(line);
	if (!r->text)
		return err_no_memory(e);
	for (w = strtok_r(r->text, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (n == WORDS_MAX - 1)
			return err_set(e, E_BAD_CONFIG, "runner '%s' has more than %d words", words[0],
				       WORDS_MAX - 1);
		words[n++] = w;
	}
	if (n < 2)
		return err_set(e, E_BAD_CONFIG, "a runner needs a name and a number of slots, not '%s'",
			       line);
	code = str_to_u64(words[1], 1, RUNNER_SLOTS_MAX, "slots", &slots, e);
	if (code < 0)
		return err_context(e, "runner '%s'", words[0]);
	r->slots = (unsigned)slots;
	while (i < n && strchr(words[i], '='))
		i++;
	n_env = i - 2;
	r->name = strdup(words[0]);
	r->env = calloc(n_env + 1, sizeof(*r->env));
	r->prefix = calloc(n - i + 1, sizeof(*r->prefix));
	if (!r->name || !r->env || !r->prefix)
		return err_no_memory(e);
	memcpy(r->env, words + 2, n_env * sizeof(*words));
	memcpy(r->prefix, words + i, (n - i) * sizeof(*words));
	return 0;
}

int
runners_add(struct runners *rs, const char *line, struct err *e)
{
	struct runner r = {.name = NULL}, *rows;
	size_t i;
	int code;

	rows = reallocarray(rs->rows, rs->n + 1, sizeof(*rows));
	if (!rows)
		return err_no_memory(e);
	rs->rows = rows;
	code = runner_parse(&r, line, e);
	for (i = 0; i < rs->n && code == 0; i++)
		if (str_eq(rows[i].name, r.name))
			code = err_set(e, E_BAD_CONFIG, "runner '%s' is defined twice", r.name);
	if (code < 0)
		runner_release(&r);
	else
		rows[rs->n++] = r;
	return code;
}

int
runners_replace(struct runners *rs, struct runners *next, struct err *e)
{
	struct runner *rows = reallocarray(next->rows, rs->n + next->n, sizeof(*rows));
	struct runner *old, *now;
	struct run *run;
	size_t n;

	if (!rows)
		return err_no_memory(e);
	next->rows = rows;
	for (old = rs->rows; old < rs->rows + rs->n; old++) {
		now = FIND_ROW(next->rows, next->n, name, old->name);
		if (now) {
			now->busy = old->busy;
		} else if (old->busy) {
			now = &rows[next->n++];
			*now = *old;
			now->draining = true;
			now->slots = now->busy;
			*old = (struct runner){.name = NULL};
		}
		LIST_FOREACH(run, &rs->runs, entry)
			if (run->runner == old)
				run->runner = now;
	}
	n = next->n;
	next->rows = rs->rows;
	next->n = rs->n;
	rs->rows = rows;
	rs->n = n;
	return 0;
}

static int
gpu_add(void *arg, unsigned index, const char *uuid, struct err *e)
{
	char line[160];

	(void)snprintf(line, sizeof(line), "gpu%u 1 CUDA_VISIBLE_DEVICES=%s", index, uuid);
	return runners_add(arg, line, e);
}

int
runners_add_gpus(struct runners *rs, struct err *e)
{
	return gpus_each(gpu_add, rs, e);
}

static bool
is_waited_for(const struct runners *rs, pid_t pid)
{
	const struct run *run;

	if (pid == rs->own)
		return true;
	LIST_FOREACH(run, &rs->runs, entry)
		if (run->child && child_pid(run->child) == pid)
			return true;
	return false;
}

/*
 * Waits for ended children, until it meets one that somebody else waits for, such as a worker. Children after it
 * are reported when it was waited for.
 */
static void
reap_due(void *arg)
{
	struct runners *rs = arg;
	siginfo_t info = {.si_pid = 0};

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
		if (is_waited_for(rs, info.si_pid)) {
			loop_timer_set(rs->loop, &rs->reap, 1);
			return;
		}
		(void)waitpid(info.si_pid, NULL, WNOHANG);
		info.si_pid = 0;
	}
}

static void
orphans_ready(void *arg, uint32_t events)
{
	struct runners *rs = arg;
	struct signalfd_siginfo info;

	(void)events;
	(void)!read(rs->orphans.fd, &info, sizeof(info)); /* read it first: a child that ends from now on
                                                           * sends another signal */
	reap_due(rs);
}

int
runners_adopt(struct runners *rs, struct loop *l, struct err *ret_no_cgroup, struct err *e)
{
	sigset_t set;

	(void)cgroup_init(&rs->cgroup, ret_no_cgroup);
	(void)signal(SIGCHLD, SIG_DFL); /* with SIGCHLD inherited as ignored, no child could be waited for */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	rs->loop = l;
	rs->reap = (struct loop_timer){.fn = reap_due, .arg = rs};
	rs->orphans = (struct loop_fd){.fn = orphans_ready, .arg = rs};
	rs->orphans.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (rs->orphans.fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_errno(e, E_IO, errno, "cannot watch for children");
	return loop_fd_watch(l, &rs->orphans, EPOLLIN, e);
}

struct runner *
runners_find_free(struct runners *rs)
{
	size_t i;

	for (i = 0; i < rs->n; i++)
		if (rs->rows[i].busy < rs->rows[i].slots)
			return &rs->rows[i];
	return NULL;
}

void
run_add(struct runners *rs, struct run *run, struct runner *runner)
{
	run->runner = runner;
	runner->busy++;
	LIST_INSERT_HEAD(&rs->runs, run, entry);
}

/* Moves the last row into the place of the removed one. */
static void
runner_drop(struct runners *rs, struct runner *r)
{
	struct runner *last = &rs->rows[--rs->n];
	struct run *run;

	runner_release(r);
	*r = *last;
	LIST_FOREACH(run, &rs->runs, entry)
		if (run->runner == last)
			run->runner = r;
}

void
run_remove(struct runners *rs, struct run *run)
{
	struct runner *r = run->runner;

	LIST_REMOVE(run, entry);
	r->busy--;
	if (r->draining && --r->slots == 0)
		runner_drop(rs, r);
}

struct run *
run_find(const struct runners *rs, int64_t job)
{
	struct run *run;

	LIST_FOREACH(run, &rs->runs, entry)
		if (run->job == job)
			return run;
	return NULL;
}

static void
text_set(char *dst, size_t len, const char *src)
{
	(void)snprintf(dst, len, "%s", src);
	str_clean(dst); /* cutting may have split a UTF-8 character */
}

void
run_set_stage(struct run *run, const Colconv__Stage *stage)
{
	text_set(run->stage, sizeof(run->stage), stage->name);
	memset(&run->progress, 0, sizeof(run->progress));
}

void
run_set_progress(struct run *run, const Colconv__Progress *progress)
{
	run->progress.done = progress->done;
	run->progress.total = progress->total;
	text_set(run->progress.unit, sizeof(run->progress.unit), progress->unit);
	text_set(run->progress.detail, sizeof(run->progress.detail), progress->detail);
}

json_t *
run_progress_to_json(const struct run *run)
{
	return json_pack("{s:I, s:I, s:s, s:s}", "done",
			 (json_int_t)MIN(run->progress.done, (uint64_t)INT64_MAX), "total",
			 (json_int_t)MIN(run->progress.total, (uint64_t)INT64_MAX), "unit",
			 run->progress.unit, "detail", run->progress.detail);
}
