#include "start.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "base/fs.h"
#include "base/log.h"
#include "queue/list.h"
#include "queue/recover.h"
#include "queue/reserve.h"
#include "runner/strays.h"
#include "sd.h"

/* Addresses without the setting `listen`. */
#define LISTEN_UNIX "unix:/run/colconv/colconv.sock"
#define LISTEN_TCP "127.0.0.1:8470"

/* Descriptors that are not for connections: the queue, the sockets, and some pipes for each worker. */
#define DESCRIPTORS_WANTED 1024
#define DESCRIPTORS_LEAST 64

#define CONNECTIONS_LEAST 16u

/* A connection may have a file open, so it counts twice. */
unsigned
start_descriptors(const struct conf *c)
{
	const rlim_t want = (rlim_t)c->connections_max * 2 + DESCRIPTORS_WANTED;
	struct rlimit rl;
	unsigned max;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return (unsigned)c->connections_max;
	if (rl.rlim_cur < want) {
		const rlim_t now = rl.rlim_cur;

		rl.rlim_cur = MIN(want, rl.rlim_max);
		if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
			rl.rlim_cur = now;
	}
	max = rl.rlim_cur > DESCRIPTORS_LEAST ? (unsigned)MIN((rl.rlim_cur - DESCRIPTORS_LEAST) / 2, 65536)
					      : 0;
	max = MAX(max, CONNECTIONS_LEAST);
	if (max >= c->connections_max)
		return (unsigned)c->connections_max;
	log_warning("connections_max is %u, not %llu: the daemon may have %llu descriptors", max,
		    (unsigned long long)c->connections_max, (unsigned long long)rl.rlim_cur);
	return max;
}

/* Kill workers of a dead daemon: they would use the files and GPUs that new workers need. */
static int
strays_of(const struct job *job, void *arg, struct err *e)
{
	(void)e;
	*(uint64_t *)arg += strays_end(job->nonce);
	return 0;
}

/* Log once which limits apply. */
static int
workers_adopt(struct settings *settings, struct loop *loop, struct store *store, struct err *e)
{
	static const struct list_filter running = {.states[JOB_RUNNING] = true};
	struct runners *rs = &settings->runners;
	struct err no_cgroup = ERR_INIT;
	int64_t cursor = INT64_MAX;
	uint64_t strays = 0;
	int r;

	r = runners_adopt(rs, loop, &no_cgroup, e);
	if (r < 0)
		return r;
	if (rs->cgroup.dir)
		log_notice("workers get control groups in '%s', which can%s limit memory", rs->cgroup.dir,
			   rs->cgroup.memory ? "" : "not");
	else
		log_notice("workers get no control groups: %s", no_cgroup.msg);
	if (settings->conf.worker_memory_max && !rs->cgroup.memory)
		log_warning("worker_memory_max has no effect: the memory controller is not delegated to the "
			    "daemon, ignoring");
	do
		r = list_jobs(store, &running, cursor, /*limit=*/RUNNER_SLOTS_MAX, strays_of, &strays,
			      &cursor, e);
	while (r == 0 && cursor);
	if (r == 0 && strays)
		log_notice("killed %" PRIu64 " processes that workers of the previous daemon left", strays);
	return r;
}

static int
recover(const struct conf *c, struct store *store, struct recover_report *ret, struct err *e)
{
	struct err why = ERR_INIT;
	int r = recover_run(store, c->state, (int64_t)c->restarts_max, job_now(), ret, &why);

	if (r == E_NO_SPACE && !store_broken(store) && reserve_give(c->state)) {
		log_notice("the disk of '%s' is full: gave back the reserve", c->state);
		err_clear(&why);
		r = recover_run(store, c->state, (int64_t)c->restarts_max, job_now(), ret, &why);
	}
	return r < 0 ? err_set(e, r, "cannot recover '%s': %s", c->state, why.msg) : 0;
}

int
start_recovery(const struct conf *c, struct store *store, struct err *e)
{
	struct recover_report rep = {0};
	int r = recover(c, store, &rep, e);

	if (r < 0)
		return r;
	if (rep.finished + rep.requeued + rep.failed + rep.cancelled + rep.staging_removed +
	    rep.artifacts_removed + rep.artifacts_lost)
		log_notice("recovered: %d jobs finished, %d queued again, %d failed, %d cancelled; %d "
			   "staging folders and %d "
			   "artifacts removed, %d artifacts without a job moved to lost/",
			   rep.finished, rep.requeued, rep.failed, rep.cancelled, rep.staging_removed,
			   rep.artifacts_removed, rep.artifacts_lost);
	reserve_keep(c->state);
	return 0;
}

int
start_queue(struct settings *settings, struct loop *loop, struct store **ret, struct err *e)
{
	const struct conf *c = &settings->conf;
	int r;

	r = store_open(c->state, ret, e);
	if (r == 0)
		r = artifact_init(c->state, e);
	return r < 0 ? r : workers_adopt(settings, loop, *ret, e);
}

/* Listens on one address, or on a socket that was passed to us. */
static int
listen_one(struct server *s, const char *address, int fd, uint16_t *first, struct err *e)
{
	uint16_t port;
	int r;

	r = address ? server_listen(s, address, &port, e) : server_adopt_take(s, fd, &port, e);
	if (r < 0)
		return r;
	log_notice("listening on '%s', port %u", address ? address : "a socket from systemd", (unsigned)port);
	if (!*first)
		*first = port;
	return 0;
}

static int
listen_default(struct server *s, uint16_t *first, struct err *e)
{
	struct err why = ERR_INIT;

	if (listen_one(s, LISTEN_UNIX, -1, first, &why) < 0)
		log_notice("%s, ignoring", why.msg);
	return listen_one(s, LISTEN_TCP, -1, first, e);
}

int
start_listening(struct server *s, const struct conf *c, struct err *e)
{
	const size_t passed = sd_sockets();
	struct err why = ERR_INIT;
	uint16_t first = 0;
	char text[16];
	int r = 0, n;
	size_t i;

	for (i = 0; r == 0 && i < passed; i++)
		r = listen_one(s, NULL, SD_SOCKETS_START + (int)i, &first, e);
	if (!passed && !c->listen.n)
		r = listen_default(s, &first, e);
	for (i = 0; r == 0 && !passed && i < c->listen.n; i++)
		r = listen_one(s, c->listen.v[i], -1, &first, e);
	if (r < 0 || !*c->port_file)
		return r;
	n = snprintf(text, sizeof(text), "%u\n", (unsigned)first);
	r = fs_write_file(c->port_file, text, (size_t)n, &why);
	if (r == E_NO_SPACE) { /* a missing port file must not keep the daemon from starting on a full disk */
		log_warning("%s, ignoring", why.msg);
		return 0;
	}
	return r < 0 ? err_set(e, r, "%s", why.msg) : 0;
}
