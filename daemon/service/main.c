/*
 * colconvd: one thread and one event loop for the API, the queue and the workers.
 *
 * Exit status: 0 after SIGTERM or SIGINT, else that of the error (base/errors.def).
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "conf.h"
#include "config.h"
#include "dispatch.h"
#include "http/listen.h"
#include "queue/recover.h"
#include "sd.h"

/* After the workers' grace time, for what the disk does not take. */
#define STOP_EXTRA_MS 5000

struct service {
	struct conf conf;
	char *worker;
	struct loop *loop;
	struct store *store;
	struct runners runners;
	struct dispatch *dispatch;
	struct server *server;
	struct loop_fd signals;
	struct loop_timer stop_limit;
	bool stopping;
	struct err fatal;
};

static void
stop_now(void *arg)
{
	struct service *s = arg;

	loop_stop(s->loop);
}

/* Takes nothing new, and ends when the workers have. */
static void
stop(struct service *s)
{
	if (s->stopping) {
		loop_stop(s->loop);
		return;
	}
	s->stopping = true;
	sd_stopping();
	server_quiesce(s->server);
	loop_timer_set(s->loop, &s->stop_limit, (int64_t)s->conf.stop_grace * 1000 + STOP_EXTRA_MS);
	dispatch_stop(s->dispatch);
}

static void
on_signal(void *arg, uint32_t events)
{
	struct service *s = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(s->signals.fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	log_notice("%s: stopping", strsignal((int)info.ssi_signo));
	stop(s);
}

static void
on_submitted(void *arg)
{
	struct service *s = arg;

	if (!s->stopping)
		dispatch_kick(s->dispatch);
}

/* A full disk is survived; a queue that nobody can vouch for any more is not. */
static void
on_failed(void *arg, const struct err *why)
{
	struct service *s = arg;

	if (!store_broken(s->store)) {
		log_warning("%s", why->msg);
		return;
	}
	(void)err_set(&s->fatal, why->code, "%s", why->msg);
	loop_stop(s->loop);
}

static int
signals_watch(struct service *s, struct err *e)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = (struct loop_fd){.fn = on_signal, .arg = s};
	s->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals.fd < 0)
		return err_errno(e, E_IO, errno, "cannot watch for signals");
	return loop_fd_watch(s->loop, &s->signals, EPOLLIN, e);
}

/* Descriptors for all connections, each with a file, and some pipes a worker. */
static void
descriptors_allow(const struct conf *c)
{
	const rlim_t want = (rlim_t)c->connections_max * 2 + 1024;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur >= want)
		return;
	rl.rlim_cur = MIN(want, rl.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur < want)
		log_warning("only %llu descriptors for %llu connections, ignoring", (unsigned long long)rl.rlim_cur,
			    (unsigned long long)c->connections_max);
}

static int
runners_set(struct service *s, struct err *e)
{
	char local[32];
	size_t i;
	int r;

	for (i = 0; i < s->conf.runner.n; i++) {
		r = runners_add(&s->runners, s->conf.runner.v[i], e);
		if (r < 0)
			return r;
	}
	if (s->runners.n)
		return 0;
	(void)snprintf(local, sizeof(local), "local %u", (unsigned)s->conf.slots);
	return runners_add(&s->runners, local, e);
}

/* All that can be wrong with the settings before anything is touched. */
static int
settings_check(struct service *s, struct err *e)
{
	enum log_level level;
	size_t i;
	int r;

	r = log_level_from_str(s->conf.log_level, &level, e);
	if (r < 0)
		return r;
	log_setup(level);
	for (i = 0; i < s->conf.listen.n; i++) {
		r = listener_check(s->conf.listen.v[i], e);
		if (r < 0)
			return r;
	}
	for (i = 0; i < s->conf.roots.n; i++)
		if (s->conf.roots.v[i][0] != '/' || !fs_is_dir(s->conf.roots.v[i]))
			return err_set(e, E_BAD_CONFIG, "root '%s' is no absolute path of a folder", s->conf.roots.v[i]);
	if (*s->conf.worker)
		s->worker = strdup(s->conf.worker);
	else if ((r = fs_sibling("colconv-worker", &s->worker, e)) < 0)
		return r;
	if (!s->worker)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	return runners_set(s, e);
}

static int
queue_open(struct service *s, struct err *e)
{
	struct recover_report rep = {0};
	int r;

	r = store_open(s->conf.state, &s->store, e);
	if (r < 0)
		return r;
	r = artifact_init(s->conf.state, e);
	if (r < 0)
		return r;
	r = recover_run(s->store, s->conf.state, job_now(), &rep, e);
	if (r < 0)
		return err_context(e, "cannot recover '%s'", s->conf.state);
	if (rep.finished + rep.requeued + rep.cancelled + rep.staging_removed + rep.artifacts_removed + rep.artifacts_lost)
		log_notice("recovered: %d jobs finished, %d queued again, %d cancelled; %d staging folders and %d artifacts "
			   "removed, %d artifacts without a job moved to lost/",
			   rep.finished, rep.requeued, rep.cancelled, rep.staging_removed, rep.artifacts_removed,
			   rep.artifacts_lost);
	return 0;
}

static int
listen_all(struct service *s, struct err *e)
{
	uint16_t port, first = 0;
	char text[16];
	size_t i;
	int r, n;

	for (i = 0; i < s->conf.listen.n; i++) {
		r = server_listen(s->server, s->conf.listen.v[i], &port, e);
		if (r < 0)
			return r;
		log_notice("listening on '%s', port %u", s->conf.listen.v[i], (unsigned)port);
		if (!first)
			first = port;
	}
	if (!*s->conf.port_file)
		return 0;
	n = snprintf(text, sizeof(text), "%u\n", (unsigned)first);
	return fs_write_file(s->conf.port_file, text, (size_t)n, e);
}

static int
service_start(struct service *s, struct err *e)
{
	const struct conf *c = &s->conf;
	struct dispatch_spec dispatch;
	struct server_spec server;
	int r;

	descriptors_allow(c);
	if ((r = loop_new(&s->loop, e)) < 0 || (r = signals_watch(s, e)) < 0 || (r = queue_open(s, e)) < 0)
		return r;
	s->stop_limit = (struct loop_timer){.fn = stop_now, .arg = s};
	server = (struct server_spec){
		.loop = s->loop,
		.store = s->store,
		.runners = &s->runners,
		.state_dir = c->state,
		.roots = (const char *const *)c->roots.v,
		.n_roots = c->roots.n,
		.queue_max = c->queue_max,
		.connections_max = (unsigned)c->connections_max,
		.idle_s = (unsigned)c->connection_idle,
		.body_max = c->body_max,
		.streams_max = (unsigned)c->streams_max,
		.stream_backlog_max = c->stream_backlog,
		.replay_max = (int64_t)c->replay_max,
		.heartbeat_ms = (int64_t)c->heartbeat * 1000,
		.submitted = on_submitted,
		.failed = on_failed,
		.arg = s,
	};
	dispatch = (struct dispatch_spec){
		.loop = s->loop,
		.store = s->store,
		.runners = &s->runners,
		.state_dir = c->state,
		.worker = s->worker,
		.roots = (const char *const *)c->roots.v,
		.n_roots = c->roots.n,
		.silence_ms = (int64_t)c->worker_silence * 1000,
		.timeout_ms = (int64_t)c->job_timeout * 1000,
		.grace_ms = (int64_t)c->stop_grace * 1000,
		.log_max = c->log_max,
		.failed = on_failed,
		.idle = stop_now,
		.arg = s,
	};
	if ((r = server_new(&server, &s->server, e)) < 0 || (r = dispatch_new(&dispatch, &s->dispatch, e)) < 0)
		return r;
	dispatch_set_server(s->dispatch, s->server);
	r = listen_all(s, e);
	if (r < 0)
		return r;
	dispatch_kick(s->dispatch);
	sd_ready(s->loop);
	return 0;
}

static int
service_run(struct service *s, struct err *e)
{
	int r;

	r = service_start(s, e);
	if (r == 0)
		r = loop_run(s->loop, e);
	if (r == 0 && s->fatal.code)
		r = err_set(e, s->fatal.code, "%s", s->fatal.msg);
	return r;
}

/* The reverse of service_start(), from wherever it came to. */
static void
service_release(struct service *s)
{
	dispatch_free(&s->dispatch);
	server_free(&s->server);
	store_close(&s->store);
	if (s->signals.watched)
		(void)close(s->signals.fd);
	loop_free(&s->loop);
	runners_release(&s->runners);
	free(s->worker);
	conf_release(&s->conf);
}

static int
service_main(int argc, char **argv, struct service *s, struct err *e)
{
	enum conf_action action;
	int r;

	runners_init(&s->runners);
	r = conf_load(argc, argv, &s->conf, &action, e);
	if (r < 0)
		return r;
	switch (action) {
	case CONF_HELP:
		conf_print_help(stdout);
		return 0;
	case CONF_VERSION:
		(void)printf("colconvd %s\n", PACKAGE_VERSION);
		return 0;
	case CONF_PRINT:
		conf_print_file(stdout);
		return 0;
	case CONF_CHECK:
		return settings_check(s, e);
	case CONF_RUN:
		break;
	}
	r = settings_check(s, e);
	return r < 0 ? r : service_run(s, e);
}

int
main(int argc, char **argv)
{
	struct service s = {.worker = NULL};
	struct err e = ERR_INIT;

	log_setup(LOG_LEVEL_INFO);
	if (service_main(argc, argv, &s, &e) < 0)
		log_err("colconvd: %s", e.msg);
	service_release(&s);
	return err_exit_status(e.code);
}
