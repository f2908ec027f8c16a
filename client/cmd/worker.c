#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/fs.h"
#include "base/loop.h"
#include "base/proc.h"
#include "base/str.h"
#include "spec/frame.h"
#include "client/show/log_line.h"

#define GRACE_MS 10000 /* from TERM to KILL */
#define READ_LEN 65536
#define LOG_LINE_MAX 4096

enum { HEAR_OUT, HEAR_LOG, HEAR_STOP, HEAR_EXIT, HEAR_MAX };

struct worker {
	const struct worker_options *o;
	char nonce[33];
	struct proc proc;
	int fd_out; /* frames; -1 at their end */
	int fd_log;
	struct buf out;
	struct buf log;
	bool greeted;
	int64_t kill_ms; /* when to send KILL; 0: TERM was not sent yet */
	json_t *result;  /* NULL until it came */
	struct log_held held;
	struct err failure; /* the worker's own report */
	struct err err;     /* an error in talking to the worker */
};

static int
nonce_make(char ret[33], struct err *e)
{
	unsigned char bytes[16];
	size_t i;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_errno(e, E_IO, errno, "cannot get random bytes");
	for (i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* Makes the worker's stdin: a file in memory, so that writing can neither block nor fail with EPIPE. */
static int
job_file(const struct worker *w, const struct spec *spec, int *ret, struct err *e)
{
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	_cleanup_close_ int fd = memfd_create("job", MFD_CLOEXEC);
	_cleanup_(buf_release) struct buf text = BUF_INIT;
	Colconv__Job job = COLCONV__JOB__INIT;
	int r;

	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot make a file in memory");
	spec_print(spec, &text);
	r = buf_failed(&text, e);
	if (r < 0)
		return r;
	/* casts away const: protobuf-c's structs lack it, and packing does not write to them */
	job.nonce = (char *)(uintptr_t)w->nonce;
	job.spec = text.data;
	job.out_dir = (char *)(uintptr_t)w->o->out_dir;
	job.cases_only = w->o->cases_only;
	r = frame_add(&b, &job.base, e);
	if (r == 0)
		r = fs_write_all(fd, b.data, b.len, "the job's description", e);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = err_errno(e, E_IO, errno, "cannot rewind the job's description");
	if (r == 0)
		*ret = TAKE_FD(fd);
	return r;
}

/* Makes a pipe whose read end stays here and does not block. */
static int
pipe_make(int *ret_read, int *ret_write, struct err *e)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_errno(e, E_IO, errno, "cannot make a pipe");
	*ret_read = fd[0];
	*ret_write = fd[1];
	(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int
worker_start(struct worker *w, const struct spec *spec, struct err *e)
{
	_cleanup_close_ int fd_in = -1, fd_out = -1, fd_log = -1;
	char *argv[] = {(char *)(uintptr_t)w->o->program, NULL};
	struct proc_spec ps = {.argv = argv};
	int r;

	r = nonce_make(w->nonce, e);
	if (r == 0)
		r = job_file(w, spec, &fd_in, e);
	if (r == 0)
		r = pipe_make(&w->fd_out, &fd_out, e);
	if (r == 0)
		r = pipe_make(&w->fd_log, &fd_log, e);
	if (r < 0)
		return r;
	ps.fd_in = fd_in;
	ps.fd_out = fd_out;
	ps.fd_err = fd_log;
	return proc_spawn(&ps, &w->proc, e);
}

static void
worker_stop(struct worker *w)
{
	proc_signal(&w->proc, w->kill_ms ? SIGKILL : SIGTERM, /*keep_group=*/false);
	if (!w->kill_ms)
		w->kill_ms = loop_now_ms() + GRACE_MS;
}

static json_t *
stages_to_json(Colconv__StageUsage **usage, size_t n)
{
	json_t *all = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		(void)json_array_append_new(all, json_pack("{s:s, s:f, s:I}", "name", usage[i]->stage,
							   "seconds", usage[i]->seconds, "peak_anon_bytes",
							   (json_int_t)usage[i]->peak_anon_bytes));
	return all;
}

static json_t *
graphs_to_json(Colconv__GraphSummary **graphs, size_t n)
{
	json_t *all = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		(void)json_array_append_new(all, json_pack("{s:s, s:s, s:I}", "variant", graphs[i]->variant,
							   "file", graphs[i]->file, "nodes",
							   (json_int_t)graphs[i]->nodes));
	return all;
}

static int
result_take(struct worker *w, const Colconv__Result *m)
{
	json_t *warnings = json_array();
	int failed = 0;
	size_t i;

	json_decref(w->result);
	for (i = 0; i < m->n_warnings; i++)
		failed |= json_array_append_new(warnings, json_string(m->warnings[i]));
	w->result = json_pack(
		"{s:s, s:I, s:o, s:b, s:o, s:o, s:o, s:o}", "architecture", m->architecture, "parameters",
		(json_int_t)m->parameters, "graphs", graphs_to_json(m->graphs, m->n_graphs), "parity_checked",
		m->parity_checked, "max_abs", m->parity_checked ? json_real(m->max_abs) : json_null(),
		"min_cosine", m->parity_checked ? json_real(m->min_cosine) : json_null(), "warnings",
		json_whole(warnings, failed), "stages", stages_to_json(m->usage, m->n_usage));
	if (!w->result)
		return err_set(&w->err, E_WORKER_PROTOCOL, "the worker's result has what JSON cannot say");
	return 0;
}

static int
message_take(struct worker *w, const Colconv__FromWorker *m)
{
	int64_t now = loop_now_ms();

	if (m->body_case == COLCONV__FROM_WORKER__BODY_HELLO) {
		w->greeted = str_eq(m->hello->nonce, w->nonce);
		if (!w->greeted)
			return err_set(&w->err, E_WORKER_PROTOCOL, "the worker answers for another job");
		return 0;
	}
	if (!w->greeted)
		return err_set(&w->err, E_WORKER_PROTOCOL, "the worker does not say hello");
	switch (m->body_case) {
	case COLCONV__FROM_WORKER__BODY_STAGE:
		bar_stage(w->o->bar, m->stage->name, now);
		return 0;
	case COLCONV__FROM_WORKER__BODY_PROGRESS:
		bar_progress(w->o->bar, m->progress->done, m->progress->total, m->progress->unit,
			     m->progress->detail, now);
		return 0;
	case COLCONV__FROM_WORKER__BODY_RESULT:
		return result_take(w, m->result);
	case COLCONV__FROM_WORKER__BODY_FAILURE:
		(void)err_set(&w->failure, err_from_name(m->failure->reason), "%s", m->failure->message);
		return 0;
	default: /* a heartbeat, or a message of a newer worker */
		return 0;
	}
}

static int
frames_take(struct worker *w)
{
	Colconv__FromWorker *m;
	const uint8_t *data;
	size_t len;
	int r;

	while ((r = frame_find(&w->out, &data, &len, &w->err)) > 0) {
		m = colconv__from_worker__unpack(NULL, len, data);
		if (!m)
			return err_set(&w->err, E_WORKER_PROTOCOL,
				       "the worker sent something that is not a message");
		r = message_take(w, m);
		colconv__from_worker__free_unpacked(m, NULL);
		if (r < 0)
			return r;
		buf_consume(&w->out, 4 + len);
	}
	return r;
}

static void
line_show(struct worker *w, size_t len)
{
	_cleanup_free_ char *line = strndup(w->log.data, len);
	_cleanup_free_ char *words = NULL;

	if (line)
		log_held_line(&w->held, line, w->o->log, &words);
	if (words)
		bar_note(w->o->bar, "%s", words);
}

/* Call after the worker has ended: prints the held error line, unless the failure says the same. */
static void
held_show(struct worker *w)
{
	_cleanup_free_ char *words = log_held_end(&w->held, w->failure.code ? w->failure.msg : "");

	if (words)
		bar_note(w->o->bar, "%s", words);
}

/* Prints whole lines. A line that is too long is cut. */
static int
lines_take(struct worker *w)
{
	const char *eol;
	size_t len;

	while (w->log.len && ((eol = memchr(w->log.data, '\n', w->log.len)) || w->log.len > LOG_LINE_MAX)) {
		len = eol ? (size_t)(eol - w->log.data) : LOG_LINE_MAX;
		line_show(w, len);
		buf_consume(&w->log, eol ? len + 1 : len);
	}
	return 0;
}

/* Reads the available bytes. At the end of the file, the descriptor becomes -1. */
static int
fd_drain(struct worker *w, int *fd, struct buf *b, int (*take)(struct worker *w))
{
	ssize_t n;
	void *room;
	int r = 0;

	while (r == 0 && *fd >= 0) {
		room = buf_reserve(b, READ_LEN);
		if (!room)
			return buf_failed(b, &w->err);
		n = read(*fd, room, READ_LEN);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			r = err_errno(&w->err, E_IO, errno, "cannot read from the worker");
		if (n <= 0) {
			(void)close(TAKE_FD(*fd));
			return r;
		}
		b->len += (size_t)n;
		b->data[b->len] = '\0';
		r = take(w);
	}
	return r;
}

static void
worker_hear(struct worker *w)
{
	if (fd_drain(w, &w->fd_log, &w->log, lines_take) < 0 ||
	    fd_drain(w, &w->fd_out, &w->out, frames_take) < 0) {
		/* Stops reading after an error. */
		closep(&w->fd_out);
		w->fd_out = -1;
		if (!w->kill_ms)
			worker_stop(w);
	}
}

/* Waits until the worker itself has ended. */
static void
worker_watch(struct worker *w)
{
	struct pollfd p[HEAR_MAX] = {
		[HEAR_STOP] = {.fd = w->o->stop->fd, .events = POLLIN},
		[HEAR_EXIT] = {.fd = w->proc.pidfd, .events = POLLIN},
	};
	int64_t until_ms;

	while (!p[HEAR_EXIT].revents) {
		p[HEAR_OUT] = (struct pollfd){.fd = w->fd_out, .events = POLLIN};
		p[HEAR_LOG] = (struct pollfd){.fd = w->fd_log, .events = POLLIN};
		until_ms = w->kill_ms;
		board_refresh(w->o->bar->board, loop_now_ms(), &until_ms);
		if (poll(p, HEAR_MAX, until_ms ? (int)MAX(until_ms - loop_now_ms(), 0) : -1) == 0 &&
		    w->kill_ms && loop_now_ms() >= w->kill_ms) {
			worker_stop(w);
			w->kill_ms += GRACE_MS;
		}
		if (p[HEAR_STOP].revents) {
			(void)interrupt_take(w->o->stop);
			if (!w->kill_ms)
				bar_note(w->o->bar, "stopping the worker; once more to kill it");
			(void)err_set(&w->err, E_CANCELLED, "interrupted");
			worker_stop(w);
		}
		worker_hear(w);
	}
}

static int
worker_verdict(struct worker *w, int status, json_t **ret, struct err *e)
{
	char how[64];

	if (w->err.code)
		return err_set(e, w->err.code, "%s", w->err.msg);
	if (w->failure.code) {
		(void)err_set(e, w->failure.code, "%s", w->failure.msg);
		return 1;
	}
	if (status || !w->result)
		return err_set(e, E_WORKER_CRASHED, "the worker ended with %s%s",
			       proc_status_str(status, how, sizeof(how)),
			       w->result ? "" : " and without a result");
	*ret = TAKE(w->result);
	return 0;
}

int
worker_run(const struct worker_options *o, const struct spec *spec, json_t **ret, struct err *e)
{
	struct worker w = {.o = o, .proc = PROC_INIT, .fd_out = -1, .fd_log = -1};
	int r, status = 0;

	r = worker_start(&w, spec, e);
	if (r == 0) {
		worker_watch(&w);
		/*
		 * Kill the processes that it left behind before reaping it: after that its id may belong to
		 * another process.
		 */
		proc_signal(&w.proc, SIGKILL, /*keep_group=*/false);
		r = proc_wait(&w.proc, &status, /*ret_usage=*/NULL, e);
		worker_hear(&w);
		if (w.log.len) /* a last line without a newline */
			line_show(&w, w.log.len);
		held_show(&w);
		bar_end(o->bar, loop_now_ms());
	}
	if (r == 0)
		r = worker_verdict(&w, status, ret, e);
	closep(&w.fd_out);
	closep(&w.fd_log);
	buf_release(&w.out);
	buf_release(&w.log);
	free(w.held.words);
	json_decref(w.result);
	return r;
}
