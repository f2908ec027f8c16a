/*
 * A worker has ended when five things have happened, in any order: its last message, its exit, the end of every process
 * it started, the end of its stdout and of its stderr. Its process group is killed before the worker is waited for:
 * until then it is a zombie and its process id cannot be reused.
 */
#include "child.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include "base/proc.h"
#include "base/str.h"
#include "spec/frame.h"
#include "lines.h"
#include "messages.h"
#include "spawn.h"
#include "strays.h"

#define CHILD_MAGIC 0x6368696cu
#define READ_MAX 65536

/* How long to read a pipe after the worker's exit, in case an unknown process keeps it open. */
#define DRAIN_MS 2000

/* The exit status that a shell gives for a command ended by SIGKILL. */
#define EXIT_KILLED (128 + SIGKILL)

struct child {
	unsigned magic;
	struct loop *loop;
	const struct child_ops *ops;
	void *arg;
	char *nonce;
	struct proc proc;
	int status; /* as waitpid() gives it, once proc.pid is 0 */
	struct strays strays;
	bool strays_left; /* after its exit: some process that it started still runs */
	uint64_t memory_max;
	uint64_t oom_kills;
	int64_t start_ms; /* on the clock of loop_now_ms() */
	struct loop_fd in, out, log, exit;
	struct loop_timer silence, deadline, kill, drain;
	int64_t hello_ms;   /* longest silence until its Hello */
	int64_t silence_ms; /* and after it */
	int64_t grace_ms;
	struct buf job; /* not yet written to stdin */
	struct messages messages;
	struct lines lines;
	char line_last[201];
	bool stopping;
	struct child_end end;
};

static void
pipe_close(struct child *c, struct loop_fd *w)
{
	loop_fd_unwatch(c->loop, w);
	if (w->fd >= 0)
		(void)close(TAKE_FD(w->fd));
}

static void
line_pass(void *arg, const char *line)
{
	struct child *c = arg;

	CHECK_OBJ(c, CHILD_MAGIC);
	(void)snprintf(c->line_last, sizeof(c->line_last), "%s", line);
	str_clean(c->line_last); /* cutting may have split a UTF-8 character */
	c->ops->log(c->arg, line);
}

/* Whether a SIGKILL ended it that the daemon did not send. */
static bool
is_killed(const struct child *c)
{
	if (c->stopping)
		return false;
	return WIFSIGNALED(c->status) ? WTERMSIG(c->status) == SIGKILL
				      : WEXITSTATUS(c->status) == EXIT_KILLED;
}

static void
why_crashed(struct child *c)
{
	const char *wrote = *c->line_last ? "; it last wrote: " : "";
	char status[64];

	(void)proc_status_str(c->status, status, sizeof(status));
	if (c->oom_kills)
		(void)err_set(&c->end.why, E_WORKER_KILLED,
			      "the worker was killed: it came to the memory limit of %" PRIu64 " bytes "
			      "(setting worker_memory_max)%s%s",
			      c->memory_max, wrote, c->line_last);
	else if (is_killed(c))
		(void)err_set(&c->end.why, E_WORKER_KILLED,
			      "the worker was killed from outside (%s), as the kernel does when memory runs "
			      "out: its log "
			      "(journalctl -k) says whether it did%s%s",
			      status, wrote, c->line_last);
	else
		(void)err_set(&c->end.why, E_WORKER_CRASHED, "the worker ended with %s%s%s%s", status,
			      c->messages.last ? " after its result" : " and without a result", wrote,
			      c->line_last);
}

static void
end_set(struct child *c)
{
	const Colconv__Failure *f;
	const Colconv__Result *res;

	if (c->messages.last && c->messages.last->body_case == COLCONV__FROM_WORKER__BODY_FAILURE) {
		f = c->messages.last->failure;
		c->end.usage = f->usage;
		c->end.n_usage = f->n_usage;
		(void)err_set(&c->end.why, err_from_name(f->reason), "%s", f->message);
	} else if (c->messages.last) {
		res = c->messages.last->result;
		c->end.usage = res->usage;
		c->end.n_usage = res->n_usage;
		if (c->status != 0)
			why_crashed(c);
		else if (c->end.why.code == 0)
			c->end.result = res;
	} else {
		why_crashed(c);
	}
}

/* Call `ended` if all five parts are over. The callback may free the child. */
static void
end_check(struct child *c)
{
	if (c->proc.pid || c->strays_left || c->out.fd >= 0 || c->log.fd >= 0)
		return;
	loop_timer_stop(&c->silence);
	loop_timer_stop(&c->deadline);
	loop_timer_stop(&c->kill);
	loop_timer_stop(&c->drain);
	pipe_close(c, &c->in);
	lines_end(&c->lines, loop_now_ms(), line_pass, c);
	end_set(c);
	c->ops->ended(c->arg, &c->end);
}

static void
stop_vset(struct child *c, int code, const char *fmt, va_list ap)
{
	char msg[sizeof(c->end.why.msg)];

	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	(void)err_set(&c->end.why, code, "%s", msg);
	if (c->stopping)
		return;
	c->stopping = true;
	proc_signal(&c->proc, SIGTERM, /*keep_group=*/false);
	proc_signal(&c->proc, SIGCONT,
		    /*keep_group=*/false); /* a stopped process handles SIGTERM only after this */
	loop_timer_set(c->loop, &c->kill, c->grace_ms);
}

void
child_stop(struct child *c, int code, const char *fmt, ...)
{
	va_list ap;

	CHECK_OBJ(c, CHILD_MAGIC);
	va_start(ap, fmt);
	stop_vset(c, code, fmt, ap);
	va_end(ap);
}

static void
kill_due(void *arg)
{
	struct child *c = arg;

	CHECK_OBJ(c, CHILD_MAGIC);
	proc_signal(&c->proc, SIGKILL, /*keep_group=*/false);
}

static int64_t
silence_ms(const struct child *c)
{
	return c->messages.hello ? c->silence_ms : c->hello_ms;
}

static void
silence_due(void *arg)
{
	struct child *c = arg;

	CHECK_OBJ(c, CHILD_MAGIC);
	child_stop(c, E_WORKER_CRASHED, "the worker said nothing for %.0f s%s", (double)silence_ms(c) / 1000,
		   c->messages.hello ? "" : " after its start");
}

static void
deadline_due(void *arg)
{
	struct child *c = arg;

	CHECK_OBJ(c, CHILD_MAGIC);
	child_stop(c, E_TIMEOUT, "the job's time limit passed");
}

static void
drain_due(void *arg)
{
	struct child *c = arg;

	CHECK_OBJ(c, CHILD_MAGIC);
	pipe_close(c, &c->out);
	pipe_close(c, &c->log);
	end_check(c);
}

static void
strays_tell(struct child *c)
{
	char text[96];

	if (!c->strays.killed)
		return;
	(void)snprintf(text, sizeof(text), "(%" PRIu64 " processes that the worker left are killed)",
		       c->strays.killed);
	c->ops->log(c->arg, text);
}

static void
strays_gone(void *arg)
{
	struct child *c = arg;

	CHECK_OBJ(c, CHILD_MAGIC);
	c->strays_left = false;
	strays_tell(c);
	end_check(c);
}

/* Kill the strays before the process group: strays_kill() waits for those that it kills itself. */
static void
exit_ready(void *arg, uint32_t events)
{
	struct child *c = arg;

	(void)events;
	CHECK_OBJ(c, CHILD_MAGIC);
	c->oom_kills = cgroup_oom_kills(c->strays.cgroup);
	c->strays_left = !strays_kill(&c->strays);
	proc_signal(&c->proc, SIGKILL, /*keep_group=*/false);
	loop_fd_unwatch(c->loop, &c->exit);
	if (proc_wait(&c->proc, &c->status, &c->end.resources, &c->end.why) < 0)
		c->status = -1;
	c->end.seconds = (double)(loop_now_ms() - c->start_ms) / 1000;
	if (!c->strays_left)
		strays_tell(c);
	loop_timer_set(c->loop, &c->drain, DRAIN_MS);
	end_check(c);
}

static void
out_ready(void *arg, uint32_t events)
{
	struct child *c = arg;
	struct err e = ERR_INIT;
	int taken;
	ssize_t n;
	void *p;

	(void)events;
	CHECK_OBJ(c, CHILD_MAGIC);
	p = buf_reserve(&c->messages.frames, READ_MAX);
	if (!p) {
		child_stop(c, E_NO_MEMORY, "memory ran out reading from the worker");
		buf_release(&c->messages.frames);
		return;
	}
	n = read(c->out.fd, p, READ_MAX);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		pipe_close(c, &c->out);
		end_check(c);
		return;
	}
	if (c->stopping) /* keep reading so that the worker cannot block in write(), but ignore the data */
		return;
	c->messages.frames.len += (size_t)n;
	taken = messages_take(&c->messages, &e);
	if (taken > 0)
		loop_timer_set(c->loop, &c->silence, silence_ms(c));
	if (taken < 0)
		child_stop(c, e.code, "%s", e.msg);
}

static void
log_ready(void *arg, uint32_t events)
{
	struct child *c = arg;
	char data[8192];
	ssize_t n;

	(void)events;
	CHECK_OBJ(c, CHILD_MAGIC);
	n = read(c->log.fd, data, sizeof(data));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		pipe_close(c, &c->log);
		end_check(c);
		return;
	}
	lines_add(&c->lines, data, (size_t)n, loop_now_ms(), line_pass, c);
}

/* No error is reported here: a worker that does not read its job fails anyway. */
static void
in_ready(void *arg, uint32_t events)
{
	struct child *c = arg;
	ssize_t n;

	(void)events;
	CHECK_OBJ(c, CHILD_MAGIC);
	n = write(c->in.fd, c->job.data, c->job.len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n >= 0)
		buf_consume(&c->job, (size_t)n);
	if (n < 0 || c->job.len == 0)
		pipe_close(c, &c->in);
}

static int
job_pack(struct child *c, const Colconv__Job *job, struct err *e)
{
	c->nonce = strdup(job->nonce);
	c->messages.nonce = c->nonce;
	return c->nonce ? frame_add(&c->job, &job->base, e) : err_no_memory(e);
}

/* Starts the process and watches its pipes and its end. */
static int
start(struct child *c, const struct child_spec *spec, struct err *e)
{
	struct worker_pipes pipes = {.in = &c->in.fd, .out = &c->out.fd, .log = &c->log.fd};
	int r;

	r = worker_spawn(spec, c->strays.mark, c->strays.cgroup, &pipes, &c->proc, e);
	if (r < 0)
		return r;
	c->exit.fd = c->proc.pidfd;
	if ((r = loop_fd_watch(c->loop, &c->in, EPOLLOUT, e)) < 0 ||
	    (r = loop_fd_watch(c->loop, &c->out, EPOLLIN, e)) < 0 ||
	    (r = loop_fd_watch(c->loop, &c->log, EPOLLIN, e)) < 0)
		return r;
	return loop_fd_watch(c->loop, &c->exit, EPOLLIN, e);
}

int
child_new(struct loop *l, const struct child_spec *spec, const struct child_ops *ops, void *arg,
	  struct child **ret, struct err *e)
{
	_cleanup_(child_free) struct child *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_no_memory(e);
	c->magic = CHILD_MAGIC;
	c->loop = l;
	c->ops = ops;
	c->arg = arg;
	c->messages = (struct messages){.ops = ops, .arg = arg};
	c->proc = (struct proc)PROC_INIT;
	c->in = (struct loop_fd){.fn = in_ready, .arg = c, .fd = -1};
	c->out = (struct loop_fd){.fn = out_ready, .arg = c, .fd = -1};
	c->log = (struct loop_fd){.fn = log_ready, .arg = c, .fd = -1};
	c->exit = (struct loop_fd){.fn = exit_ready, .arg = c, .fd = -1};
	c->silence = (struct loop_timer){.fn = silence_due, .arg = c};
	c->deadline = (struct loop_timer){.fn = deadline_due, .arg = c};
	c->kill = (struct loop_timer){.fn = kill_due, .arg = c};
	c->drain = (struct loop_timer){.fn = drain_due, .arg = c};
	c->hello_ms = spec->start_ms;
	c->silence_ms = spec->silence_ms;
	c->grace_ms = spec->grace_ms;
	c->memory_max = spec->memory_max;
	c->start_ms = loop_now_ms();
	r = job_pack(c, spec->job, e);
	if (r == 0)
		r = strays_init(&c->strays, l, c->nonce, strays_gone, c, e);
	c->strays.roams = spec->prefix && spec->prefix[0];
	if (r == 0 && spec->cgroup)
		r = cgroup_add(spec->cgroup, c->nonce, spec->memory_max, &c->strays.cgroup, e);
	if (r == 0)
		r = start(c, spec, e);
	if (r < 0)
		return r;
	loop_timer_set(l, &c->silence, silence_ms(c));
	loop_timer_set(l, &c->deadline, spec->timeout_ms);
	*ret = TAKE(c);
	return 0;
}

void
child_free(struct child **cp)
{
	struct child *c = *cp;

	if (!c)
		return;
	CHECK_OBJ(c, CHILD_MAGIC);
	loop_timer_stop(&c->silence);
	loop_timer_stop(&c->deadline);
	loop_timer_stop(&c->kill);
	loop_timer_stop(&c->drain);
	loop_fd_unwatch(c->loop, &c->exit);
	pipe_close(c, &c->in);
	pipe_close(c, &c->out);
	pipe_close(c, &c->log);
	if (c->proc.pid) {
		proc_signal(&c->proc, SIGKILL, /*keep_group=*/false);
		(void)proc_wait(&c->proc, &c->status, /*ret_usage=*/NULL, NULL);
		strays_kill_now(&c->strays);
	} else {
		(void)cgroup_remove(c->strays.cgroup); /* of a worker that did not start */
	}
	strays_release(&c->strays);
	messages_release(&c->messages);
	buf_release(&c->job);
	free(c->nonce);
	OBJ_FREE(*cp);
}

pid_t
child_pid(const struct child *c)
{
	return c->proc.pid;
}
