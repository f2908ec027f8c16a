#include "notifier.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "queue/event.h"
#include "queue/job_print.h"
#include "runner/environment.h"

#define NOTIFIER_MAGIC 0x6e6f7469u
#define EVENTS_MAX 256 /* read in one turn of the loop */
#define WORDS_MAX 32
#define AGAIN_MS 5000 /* after an error of the queue or the disk */

struct notifier {
	unsigned magic;
	struct notifier_spec spec;
	int64_t told;       /* the last event that needs no command any more; -1: no command is set */
	int64_t event, job; /* that the running command is told */
	struct proc proc;
	struct loop_fd ended;
	struct loop_timer look;
	struct loop_timer limit;
};

static char *
told_path(const struct notifier *n)
{
	return fs_join(n->spec.state_dir, "notified");
}

/* Continues where the last daemon stopped; the first time, only what ends from now on is told. */
static int
told_load(struct notifier *n, struct err *e)
{
	_cleanup_free_ char *path = told_path(n), *text = NULL;
	uint64_t told = 0;
	size_t len;

	if (!path)
		return err_no_memory(e);
	if (fs_exists(path) && fs_read(path, /*max=*/32, E_IO, &text, &len, NULL) == 0 &&
	    str_to_u64(text, 0, INT64_MAX, "notified", &told, NULL) == 0) {
		n->told = (int64_t)told;
		return 0;
	}
	return event_newest(n->spec.store, &n->told, e);
}

static int
told_save(const struct notifier *n, struct err *e)
{
	_cleanup_free_ char *path = told_path(n);
	char text[24];
	const int len = snprintf(text, sizeof(text), "%" PRId64, n->told);

	return path ? fs_write_file(path, text, (size_t)len, e) : err_no_memory(e);
}

static void
told_set(struct notifier *n, int64_t event)
{
	struct err e = ERR_INIT;

	n->told = event;
	if (told_save(n, &e) < 0)
		n->spec.failed(n->spec.arg, &e);
}

/* A command was set or taken away. */
static int
told_begin(struct notifier *n, struct err *e)
{
	_cleanup_free_ char *path = told_path(n);
	int r;

	if (!path)
		return err_no_memory(e);
	if (!*n->spec.command) {
		n->told = -1;
		return fs_remove(path, e);
	}
	if (n->told >= 0)
		return 0;
	r = told_load(n, e);
	return r < 0 ? r : told_save(n, e);
}

/* The first end of a job among the next events. */
struct search {
	int64_t event, job; /* 0: none */
	int64_t last;       /* event that was looked at */
	int n;
};

static int
event_look(const struct event *ev, void *arg, struct err *e)
{
	struct search *s = arg;
	json_auto_t *data = NULL;
	enum job_state state;
	const char *name;

	s->n++;
	if (s->event)
		return 0;
	s->last = ev->id;
	if (!str_eq(ev->name, EVENT_STATE))
		return 0;
	if (json_parse(ev->data, strlen(ev->data), "an event", E_BAD_DATABASE, &data, e) < 0)
		return e->code;
	name = json_string_value(json_object_get(data, "state"));
	if (name && job_state_from_str(name, &state) && job_state_ended(state)) {
		s->event = ev->id;
		s->job = ev->job;
	}
	return 0;
}

/* A file in memory with the job's JSON. A pipe could be too short, and then the daemon would have to wait. */
static int
input_make(const struct job *job, int *ret_fd, struct err *e)
{
	const struct job_moment now = {.ahead = -1};
	_cleanup_(buf_release) struct buf b = BUF_INIT;
	_cleanup_close_ int fd = -1;
	int r;

	job_print(job, &now, &b);
	buf_puts(&b, "\n");
	r = buf_failed(&b, e);
	if (r < 0)
		return r;
	fd = memfd_create("job", MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(e, E_IO, errno, "cannot make the input of the command");
	r = fs_write_all(fd, b.data, b.len, "the input of the command", e);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = err_errno(e, E_IO, errno, "cannot rewind the input of the command");
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static int
command_start(struct notifier *n, const struct job *job, struct err *e)
{
	_cleanup_free_ char *text = strdup(n->spec.command);
	char *words[WORDS_MAX + 1] = {NULL}, *save = NULL, *w;
	_cleanup_close_ int in = -1;
	struct proc_spec ps = {.argv = words, .env_passes = environment_passes, .fd_out = -1, .fd_err = -1};
	size_t k = 0;
	int r;

	if (!text)
		return err_no_memory(e);
	for (w = strtok_r(text, " \t", &save); w && k < WORDS_MAX; w = strtok_r(NULL, " \t", &save))
		words[k++] = w;
	r = input_make(job, &in, e);
	if (r < 0)
		return r;
	ps.fd_in = in;
	r = proc_spawn(&ps, &n->proc, e);
	if (r < 0)
		return r;
	n->spec.runners->own = n->proc.pid;
	n->ended.fd = n->proc.pidfd;
	loop_timer_set(n->spec.loop, &n->limit, n->spec.limit_ms);
	return loop_fd_watch(n->spec.loop, &n->ended, EPOLLIN, e);
}

/* Waits for the command; kills it first when it still runs. */
static int
command_wait(struct notifier *n)
{
	int status = 0;

	loop_fd_unwatch(n->spec.loop, &n->ended);
	loop_timer_stop(&n->limit);
	proc_signal(&n->proc, SIGKILL, /*keep_group=*/false); /* what it left running in its group */
	(void)proc_wait(&n->proc, &status, NULL, NULL);
	n->proc = (struct proc)PROC_INIT;
	n->spec.runners->own = 0;
	return status;
}

static void
command_ended(void *arg, uint32_t events)
{
	struct notifier *n = arg;
	char how[64];
	int status;

	(void)events;
	CHECK_OBJ(n, NOTIFIER_MAGIC);
	status = command_wait(n);
	if (status)
		log_warning("job=%" PRId64 " the command of the setting notify ended with %s", n->job,
			    proc_status_str(status, how, sizeof(how)));
	told_set(n, n->event);
	notifier_kick(n);
}

static void
limit_due(void *arg)
{
	struct notifier *n = arg;

	CHECK_OBJ(n, NOTIFIER_MAGIC);
	log_warning("job=%" PRId64
		    " the command of the setting notify ran longer than notify_timeout: killing it",
		    n->job);
	proc_signal(&n->proc, SIGKILL, /*keep_group=*/false);
}

/* Tells one end. A job that was deleted or queued again since needs no notice, or gets one at its next end. */
static int
tell(struct notifier *n, const struct search *s, struct err *e)
{
	_cleanup_(job_release) struct job job = {.id = 0};
	struct err why = ERR_INIT;
	int r = store_job_get(n->spec.store, s->job, &job, &why);

	if (r < 0 && r != E_NOT_FOUND)
		return err_set(e, r, "%s", why.msg);
	n->event = s->event;
	n->job = s->job;
	if (r == 0 && job_state_ended(job.state) && command_start(n, &job, &why) == 0)
		return 0;
	if (r == 0 && why.code)
		log_warning("job=%" PRId64 " the command of the setting notify did not start: %s", s->job,
			    why.msg);
	if (n->proc.pid)
		(void)command_wait(n);
	told_set(n, s->event);
	notifier_kick(n);
	return 0;
}

static void
look_due(void *arg)
{
	struct notifier *n = arg;
	struct search s = {.event = 0};
	struct err e = ERR_INIT;
	int r;

	CHECK_OBJ(n, NOTIFIER_MAGIC);
	if (n->told < 0 || n->proc.pid)
		return;
	r = event_list(n->spec.store, EVENTS_ALL_BUT_LOGS, /*job=*/0, n->told, EVENTS_MAX, event_look, &s,
		       &e);
	if (r == 0 && s.event)
		r = tell(n, &s, &e);
	else if (r == 0 && s.n) {
		n->told = s.last;
		notifier_kick(n);
	}
	if (r < 0) {
		n->spec.failed(n->spec.arg, &e);
		loop_timer_set(n->spec.loop, &n->look, AGAIN_MS);
	}
}

int
notifier_new(const struct notifier_spec *spec, struct notifier **ret, struct err *e)
{
	struct notifier *n = calloc(1, sizeof(*n));

	if (!n)
		return err_no_memory(e);
	n->magic = NOTIFIER_MAGIC;
	n->told = -1;
	n->proc = (struct proc)PROC_INIT;
	n->ended = (struct loop_fd){.fn = command_ended, .arg = n};
	n->look = (struct loop_timer){.fn = look_due, .arg = n};
	n->limit = (struct loop_timer){.fn = limit_due, .arg = n};
	*ret = n;
	n->spec = *spec;
	notifier_set_spec(n, spec);
	return 0;
}

void
notifier_free(struct notifier **np)
{
	struct notifier *n = *np;

	if (!n)
		return;
	CHECK_OBJ(n, NOTIFIER_MAGIC);
	loop_timer_stop(&n->look);
	if (n->proc.pid)
		(void)command_wait(n);
	OBJ_FREE(*np);
}

void
notifier_set_spec(struct notifier *n, const struct notifier_spec *spec)
{
	struct err e = ERR_INIT;

	n->spec = *spec;
	if (told_begin(n, &e) < 0)
		n->spec.failed(n->spec.arg, &e);
	notifier_kick(n);
}

void
notifier_kick(struct notifier *n)
{
	if (n->told >= 0 && !n->look.set)
		loop_timer_set(n->spec.loop, &n->look, 0);
}
