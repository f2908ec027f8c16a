#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "counters.h"
#include "dispatch.h"
#include "http/api/api.h"
#include "keeper.h"
#include "notifier.h"
#include "sd.h"
#include "start.h"

/* Extra time after the workers' grace time, for writes to a slow or full disk. */
#define STOP_EXTRA_MS 5000

#define STATUS_EVERY_MS 2000
#define RECOVERY_EVERY_MS 5000

/* How much more time to request from systemd in one step while jobs drain. */
#define EXTEND_MS 30000

enum phase {
	SERVING,
	DRAINING, /* no new attempts start; the API still serves */
	STOPPING, /* workers are being stopped; new jobs are refused */
};

struct service {
	struct settings settings;
	int argc;
	char **argv;
	struct loop *loop;
	struct store *store;
	struct metrics metrics;
	unsigned connections_max; /* as many as there are descriptors for */
	struct dispatch *dispatch;
	struct keeper *keeper;
	struct notifier *notifier;
	struct api *api;
	struct loop_fd signals;
	struct loop_timer stop_limit;
	struct loop_timer drain_limit;
	struct loop_timer extend;
	struct loop_timer status;
	struct loop_timer recovery; /* set while the disk is too full to recover */
	enum phase phase;
	struct err fatal;
};

static void
stop_now(void *arg)
{
	struct service *s = arg;

	loop_stop(s->loop);
}

/* Refuse new jobs, stop the workers, queue their jobs again, and end when all workers have ended. */
static void
stop(struct service *s)
{
	const int64_t limit_ms = (int64_t)s->settings.conf.stop_grace * 1000 + STOP_EXTRA_MS;

	s->phase = STOPPING;
	loop_timer_stop(&s->drain_limit);
	loop_timer_stop(&s->extend);
	sd_stopping();
	sd_extend(limit_ms);
	api_quiesce(s->api);
	loop_timer_set(s->loop, &s->stop_limit, limit_ms);
	dispatch_stop(s->dispatch);
}

static void
drain_due(void *arg)
{
	struct service *s = arg;

	log_warning("drain_timeout passed: the jobs that still run are handed back");
	stop(s);
}

/* Runs in the loop, as the watchdog does, so systemd stops waiting for a daemon that hangs. */
static void
extend_due(void *arg)
{
	struct service *s = arg;

	sd_extend(EXTEND_MS);
	loop_timer_set(s->loop, &s->extend, EXTEND_MS / 3);
}

static void
drain(struct service *s)
{
	s->phase = DRAINING;
	sd_stopping();
	api_set_stopping(s->api);
	loop_timer_set(s->loop, &s->drain_limit, (int64_t)s->settings.conf.drain_timeout * 1000);
	extend_due(s);
	dispatch_drain(s->dispatch);
}

/* Called when the last worker has ended. */
static void
on_idle(void *arg)
{
	struct service *s = arg;

	if (s->phase == DRAINING)
		stop(s);
	else
		loop_stop(s->loop);
}

/* The first signal stops or drains; a second one ends a drain, then the daemon. */
static void
on_stop_signal(struct service *s)
{
	if (s->phase == STOPPING)
		loop_stop(s->loop);
	else if (s->phase == SERVING && s->settings.drain)
		drain(s);
	else
		stop(s);
}

/* Only log a full disk. Stop the daemon when the queue is broken, because its content on disk is unknown. */
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

static void
on_submitted(void *arg, size_t n)
{
	struct service *s = arg;

	s->metrics.submissions += n;
	dispatch_kick(s->dispatch);
}

static void
on_removed(void *arg, const struct removal *what)
{
	struct service *s = arg;
	size_t i;

	for (i = 0; i < what->jobs.n; i++)
		live_removed(api_live(s->api), what->jobs.ids[i]);
	keeper_empty(s->keeper);
}

static void
on_ended(void *arg)
{
	struct service *s = arg;

	keeper_kick(s->keeper);
	notifier_kick(s->notifier);
}

/* Who changed what, from where: the log is the only place that keeps this. */
static void
on_changed(void *arg, const struct api_change *c)
{
	struct service *s = arg;
	char job[32] = "";

	notifier_kick(s->notifier); /* a queued job that is cancelled ends at once */
	if (c->job)
		(void)snprintf(job, sizeof(job), "job=%" PRId64 " ", c->job);
	if (c->model)
		log_info("%s%s by %s: '%s'", job, c->what, c->caller, c->model);
	else
		log_info("%s%s by %s", job, c->what, c->caller);
}

static json_t *
on_config(void *arg)
{
	struct service *s = arg;

	return conf_to_json(&s->settings.conf);
}

static void
on_answered(void *arg, const struct server_request *q)
{
	struct service *s = arg;

	counters_request(&s->metrics, q);
}

static void
on_request_ended(void *arg, const struct server_request *q)
{
	(void)arg;
	log_debug("%s '%s' %u %" PRId64 " ms%s%s", q->method, q->path, q->status, q->us / 1000,
		  *q->caller ? " by " : "", q->caller);
}

static struct server_spec
server_spec(struct service *s)
{
	const struct conf *c = &s->settings.conf;

	return (struct server_spec){
		.connections_max = s->connections_max,
		.connections_per_address = (unsigned)c->connections_per_address,
		.idle_s = (unsigned)c->connection_idle,
		.request_s = (unsigned)c->request_timeout,
		.header_max = (size_t)c->header_max,
		.body_max = c->body_max,
		.bodies_max = c->bodies_max,
		.answers_max = c->answers_max,
		.answered = on_answered,
		.ended = on_request_ended,
		.failed = on_failed,
		.arg = s,
	};
}

static struct live_spec
live_spec(const struct conf *c)
{
	return (struct live_spec){
		.streams_max = (unsigned)c->streams_max,
		.stream_backlog_max = c->stream_backlog,
		.replay_max = (int64_t)c->replay_max,
		.heartbeat_ms = (int64_t)c->heartbeat * 1000,
	};
}

static struct api_spec
api_spec(struct service *s)
{
	const struct conf *c = &s->settings.conf;

	return (struct api_spec){
		.server = server_spec(s),
		.live = live_spec(c),
		.loop = s->loop,
		.store = s->store,
		.runners = &s->settings.runners,
		.metrics = &s->metrics,
		.state_dir = c->state,
		.roots = (const char *const *)c->roots.v,
		.n_roots = c->roots.n,
		.preflight = c->preflight,
		.queue_max = c->queue_max,
		.submitted = on_submitted,
		.removed = on_removed,
		.changed = on_changed,
		.config = on_config,
		.failed = on_failed,
		.arg = s,
	};
}

static struct dispatch_spec
dispatch_spec(struct service *s)
{
	const struct conf *c = &s->settings.conf;

	return (struct dispatch_spec){
		.loop = s->loop,
		.store = s->store,
		.runners = &s->settings.runners,
		.metrics = &s->metrics,
		.state_dir = c->state,
		.worker = s->settings.worker,
		.roots = (const char *const *)c->roots.v,
		.n_roots = c->roots.n,
		.tokens = c->tokens,
		.worker_memory_max = c->worker_memory_max,
		.start_ms = (int64_t)c->worker_start * 1000,
		.silence_ms = (int64_t)c->worker_silence * 1000,
		.timeout_ms = (int64_t)c->job_timeout * 1000,
		.grace_ms = (int64_t)c->stop_grace * 1000,
		.log_max = c->log_max,
		.ended = on_ended,
		.failed = on_failed,
		.idle = on_idle,
		.arg = s,
	};
}

static struct keeper_spec
keeper_spec(struct service *s)
{
	return (struct keeper_spec){
		.loop = s->loop,
		.store = s->store,
		.state_dir = s->settings.conf.state,
		.removed = on_removed,
		.failed = on_failed,
		.arg = s,
	};
}

static struct notifier_spec
notifier_spec(struct service *s)
{
	const struct conf *c = &s->settings.conf;

	return (struct notifier_spec){
		.loop = s->loop,
		.store = s->store,
		.runners = &s->settings.runners,
		.state_dir = c->state,
		.command = c->notify,
		.limit_ms = (int64_t)c->notify_timeout * 1000,
		.failed = on_failed,
		.arg = s,
	};
}

/* In the settings 0 means no limit. */
static int64_t
limit(uint64_t setting)
{
	return setting ? (int64_t)setting : RETENTION_ALL;
}

static void
keeper_limit(struct service *s)
{
	const struct conf *c = &s->settings.conf;
	const struct retention keep = {
		.artifacts = limit(c->keep_artifacts),
		.bytes = limit(c->keep_bytes),
		.seconds = limit(c->keep_seconds),
		.jobs = limit(c->keep_jobs),
	};

	keeper_set(s->keeper, &keep);
}

/* For systemctl status. */
static void
status_due(void *arg)
{
	struct service *s = arg;
	int64_t n[JOB_STATE_MAX];

	if (store_counts(s->store, n, NULL) == 0)
		sd_status("%s%" PRId64 " running, %" PRId64 " queued",
			  s->phase == SERVING ? "" : "Stopping: ", n[JOB_RUNNING], n[JOB_QUEUED]);
	loop_timer_set(s->loop, &s->status, STATUS_EVERY_MS);
}

static int
reload(struct service *s, struct err *e)
{
	struct settings next;
	enum conf_action action;
	struct notifier_spec notifier;
	struct dispatch_spec dispatch;
	struct api_spec api;
	int r;

	r = settings_load(s->argc, s->argv, &next, &action, e);
	if (r < 0)
		return r;
	r = api_set_tokens_take(s->api, TAKE(next.tokens), e);
	if (r == 0)
		r = settings_reload(&s->settings, &next, e);
	if (r == 0) {
		settings_warn(&s->settings);
		log_setup(s->settings.log_level);
		api = api_spec(s);
		api_set_spec(s->api, &api);
		dispatch = dispatch_spec(s);
		dispatch_set_spec(s->dispatch, &dispatch);
		notifier = notifier_spec(s);
		notifier_set_spec(s->notifier, &notifier);
		keeper_limit(s);
		dispatch_kick(s->dispatch);
	}
	settings_release(&next); /* last, because the old settings were in use until now */
	return r;
}

static void
on_reload_signal(struct service *s)
{
	struct err e = ERR_INIT;

	if (s->phase != SERVING) {
		log_warning("SIGHUP while the daemon stops, ignoring");
		return;
	}
	sd_reloading();
	if (reload(s, &e) < 0)
		log_err("%s: the settings stay as they are", e.msg);
	else
		log_notice("the settings were read again");
	sd_ready();
}

static void
on_signal(void *arg, uint32_t events)
{
	struct service *s = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(s->signals.fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		on_reload_signal(s);
		return;
	}
	log_notice("%s: stopping", strsignal((int)info.ssi_signo));
	on_stop_signal(s);
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
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = (struct loop_fd){.fn = on_signal, .arg = s};
	s->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals.fd < 0)
		return err_errno(e, E_IO, errno, "cannot watch for signals");
	return loop_fd_watch(s->loop, &s->signals, EPOLLIN, e);
}

/* Retry the recovery that failed because the disk is full. Until it succeeds the API serves, but no job starts. */
static void
recovery_due(void *arg)
{
	struct service *s = arg;
	struct err e = ERR_INIT;
	int r = start_recovery(&s->settings.conf, s->store, &e);

	if (r == 0) {
		dispatch_begin(s->dispatch);
	} else if (r == E_NO_SPACE && !store_broken(s->store)) {
		loop_timer_set(s->loop, &s->recovery, RECOVERY_EVERY_MS);
	} else {
		(void)err_set(&s->fatal, r, "%s", e.msg);
		loop_stop(s->loop);
	}
}

/* Start even on a full disk, so that clients can read and remove artifacts. */
static int
recover(struct service *s, struct err *e)
{
	struct err why = ERR_INIT;
	int r = start_recovery(&s->settings.conf, s->store, &why);

	if (r == 0) {
		dispatch_begin(s->dispatch);
		return 0;
	}
	if (r != E_NO_SPACE || store_broken(s->store))
		return err_set(e, r, "%s", why.msg);
	log_err("%s. No job starts until there is room: remove artifacts (colconvctl purge) or other files "
		"on that "
		"disk",
		why.msg);
	loop_timer_set(s->loop, &s->recovery, RECOVERY_EVERY_MS);
	return 0;
}

static int
service_start(struct service *s, struct err *e)
{
	struct notifier_spec notifier;
	struct dispatch_spec dispatch;
	struct keeper_spec keeper;
	struct api_spec api;
	int r;

	s->connections_max = start_descriptors(&s->settings.conf);
	if ((r = loop_new(&s->loop, e)) < 0 || (r = signals_watch(s, e)) < 0 ||
	    (r = start_queue(&s->settings, s->loop, &s->store, e)) < 0)
		return r;
	api = api_spec(s);
	dispatch = dispatch_spec(s);
	keeper = keeper_spec(s);
	notifier = notifier_spec(s);
	if ((r = api_new(&api, &s->api, e)) < 0 || (r = dispatch_new(&dispatch, &s->dispatch, e)) < 0 ||
	    (r = keeper_new(&keeper, &s->keeper, e)) < 0 ||
	    (r = notifier_new(&notifier, &s->notifier, e)) < 0)
		return r;
	dispatch_set_live(s->dispatch, api_live(s->api));
	r = recover(s, e);
	if (r < 0)
		return r;
	keeper_limit(s);
	r = api_set_tokens_take(s->api, TAKE(s->settings.tokens), e);
	if (r == 0)
		r = start_listening(api_server(s->api), &s->settings.conf, e);
	if (r < 0)
		return r;
	sd_ready();
	sd_watchdog(s->loop);
	if (sd_is_there())
		status_due(s);
	return 0;
}

/* Undo service_start(), also when it failed half way. */
static void
service_release(struct service *s)
{
	dispatch_free(&s->dispatch);
	api_free(&s->api);
	keeper_free(&s->keeper);
	notifier_free(&s->notifier);
	store_close(&s->store);
	if (s->signals.watched)
		(void)close(s->signals.fd);
	settings_release(&s->settings);
	loop_free(&s->loop);
}

int
service_run(struct settings *settings, int argc, char **argv, struct err *e)
{
	struct service s = {
		.settings = *settings,
		.argc = argc,
		.argv = argv,
		.stop_limit = {.fn = stop_now, .arg = &s},
		.drain_limit = {.fn = drain_due, .arg = &s},
		.extend = {.fn = extend_due, .arg = &s},
		.status = {.fn = status_due, .arg = &s},
		.recovery = {.fn = recovery_due, .arg = &s},
	};
	int r;

	log_setup(s.settings.log_level);
	settings_warn(&s.settings);
	r = service_start(&s, e);
	if (r == 0)
		r = loop_run(s.loop, e);
	if (r == 0 && s.fatal.code)
		r = err_set(e, s.fatal.code, "%s", s.fatal.msg);
	service_release(&s);
	return r;
}
