#include "report.h"

#include <pthread.h>

#include "base/fs.h"
#include "base/pulse.h"
#include "base/str.h"
#include "spec/frame.h"
#include "torch/shim.h"
#include "config.h"

#define STAGES_MAX 8
#define SAMPLE_MS 50
#define HEARTBEAT_MS 3000
#define PROGRESS_MS 100

struct report {
	pthread_t thread;
	pthread_mutex_t lock; /* protects all members below */
	pthread_cond_t wake;
	bool stop;
	pid_t child;
	uint64_t child_work; /* at the last check */
	bool alive;          /* some work was done since the last message */
	struct {
		const char *name;
		double seconds;
		uint64_t peak_anon;
	} stage[STAGES_MAX];
	int n_stage;
	struct timespec stage_begin;
	struct timespec last_sent, last_progress;
	Colconv__StageUsage usage[STAGES_MAX];
	Colconv__StageUsage *usage_ptr[STAGES_MAX];
};

static double
seconds_since(const struct timespec *t)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

/* RssAnon of a process in bytes; 0 when it cannot be read. */
static uint64_t
anon_bytes(pid_t pid)
{
	char path[64], line[128];
	unsigned long long kib = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (str_starts(line, "RssAnon:")) {
			kib = strtoull(line + strlen("RssAnon:"), NULL, 10);
			break;
		}
	(void)fclose(f);
	return kib * 1024;
}

/* Call with the lock held. When nobody reads our messages, exit: the parent sees that we ended. */
static void
send(struct report *r, Colconv__FromWorker__BodyCase which, void *body)
{
	Colconv__FromWorker m = COLCONV__FROM_WORKER__INIT;
	struct buf b = BUF_INIT;

	m.body_case = which;
	m.hello = body; /* all members of the union are pointers */
	if (frame_add(&b, &m.base, NULL) < 0)
		_exit(err_exit_status(E_NO_MEMORY));
	if (fs_write_all(STDOUT_FILENO, b.data, b.len, "stdout", NULL) < 0)
		_exit(err_exit_status(E_IO));
	buf_release(&b);
	(void)clock_gettime(CLOCK_MONOTONIC, &r->last_sent);
	r->alive = false;
}

/*
 * A number that grows while a process works: the ticks of its CPU time plus the pages that it read. 0: not
 * available.
 */
static uint64_t
work_done(pid_t pid)
{
	unsigned long long majflt = 0, utime = 0, stime = 0;
	char path[64], line[512];
	const char *p;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL; /* the name in parentheses may
                                                                       * contain anything */
	(void)fclose(f);
	if (!p || sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %llu %*u %llu %llu", &majflt, &utime,
			 &stime) != 3)
		return 0;
	return majflt + utime + stime;
}

/*
 * Call with the lock held. Whether the work made progress: our own work shows it by pulses, a child's work
 * by its CPU time, because the library that it runs cannot send pulses.
 */
static bool
work_felt(struct report *r)
{
	const uint64_t work = r->child ? work_done(r->child) : 0;
	const bool moved = work != r->child_work;

	r->child_work = work;
	return pulse_felt() || moved;
}

/* Call with the lock held. */
static void
sample(struct report *r)
{
	uint64_t own, child;

	if (r->n_stage == 0)
		return;
	own = anon_bytes(getpid());
	child = r->child ? anon_bytes(r->child) : 0;
	r->stage[r->n_stage - 1].peak_anon = MAX(r->stage[r->n_stage - 1].peak_anon, own + child);
}

static void *
watch(void *arg)
{
	Colconv__Heartbeat beat = COLCONV__HEARTBEAT__INIT;
	struct report *r = arg;
	struct timespec until;

	(void)pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		sample(r);
		r->alive |= work_felt(r);
		if (r->alive && seconds_since(&r->last_sent) * 1000 >= HEARTBEAT_MS)
			send(r, COLCONV__FROM_WORKER__BODY_HEARTBEAT, &beat);
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += SAMPLE_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		(void)pthread_cond_timedwait(&r->wake, &r->lock, &until);
	}
	(void)pthread_mutex_unlock(&r->lock);
	return NULL;
}

int
report_new(const char *nonce, struct report **ret, struct err *e)
{
	Colconv__Hello hello = COLCONV__HELLO__INIT;
	struct report *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	char host[256] = "";

	if (!r)
		return err_no_memory(e);
	(void)gethostname(host, sizeof(host) - 1);
	hello.nonce = (char *)(uintptr_t)nonce;
	hello.version = (char *)(uintptr_t)PACKAGE_VERSION;
	hello.torch = (char *)(uintptr_t)tt_version();
	hello.pid = getpid();
	hello.host = host;
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&r->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	send(r, COLCONV__FROM_WORKER__BODY_HELLO, &hello);
	if (pthread_create(&r->thread, NULL, watch, r) != 0) {
		free(r);
		return err_set(e, E_NO_MEMORY, "cannot start a thread");
	}
	*ret = r;
	return 0;
}

void
report_free(struct report **r)
{
	if (!*r)
		return;
	(void)pthread_mutex_lock(&(*r)->lock);
	(*r)->stop = true;
	(void)pthread_cond_signal(&(*r)->wake);
	(void)pthread_mutex_unlock(&(*r)->lock);
	(void)pthread_join((*r)->thread, NULL);
	(void)pthread_cond_destroy(&(*r)->wake);
	(void)pthread_mutex_destroy(&(*r)->lock);
	free(*r);
	*r = NULL;
}

/* Call with the lock held. */
static void
stage_end(struct report *r)
{
	if (r->n_stage == 0)
		return;
	sample(r);
	r->stage[r->n_stage - 1].seconds = seconds_since(&r->stage_begin);
}

void
report_stage(struct report *r, const char *name)
{
	Colconv__Stage stage = COLCONV__STAGE__INIT;

	stage.name = (char *)(uintptr_t)name;
	(void)pthread_mutex_lock(&r->lock);
	stage_end(r);
	assert(r->n_stage < STAGES_MAX);
	r->stage[r->n_stage++].name = name;
	(void)clock_gettime(CLOCK_MONOTONIC, &r->stage_begin);
	r->last_progress = (struct timespec){0};
	send(r, COLCONV__FROM_WORKER__BODY_STAGE, &stage);
	(void)pthread_mutex_unlock(&r->lock);
}

void
report_progress(struct report *r, uint64_t done, uint64_t total, const char *unit, const char *detail)
{
	Colconv__Progress p = COLCONV__PROGRESS__INIT;

	p.done = done;
	p.total = total;
	p.unit = (char *)(uintptr_t)unit;
	p.detail = (char *)(uintptr_t)detail;
	pulse();
	(void)pthread_mutex_lock(&r->lock);
	if (done == total || seconds_since(&r->last_progress) * 1000 >= PROGRESS_MS) {
		(void)clock_gettime(CLOCK_MONOTONIC, &r->last_progress);
		send(r, COLCONV__FROM_WORKER__BODY_PROGRESS, &p);
	}
	(void)pthread_mutex_unlock(&r->lock);
}

void
report_child(struct report *r, pid_t pid)
{
	(void)pthread_mutex_lock(&r->lock);
	r->child = pid;
	(void)pthread_mutex_unlock(&r->lock);
}

/* Call with the lock held. */
static void
usage_fill(struct report *r)
{
	int i;

	stage_end(r);
	for (i = 0; i < r->n_stage; i++) {
		colconv__stage_usage__init(&r->usage[i]);
		r->usage[i].stage = (char *)(uintptr_t)r->stage[i].name;
		r->usage[i].seconds = r->stage[i].seconds;
		r->usage[i].peak_anon_bytes = r->stage[i].peak_anon;
		r->usage_ptr[i] = &r->usage[i];
	}
}

void
report_result(struct report *r, Colconv__Result *result)
{
	(void)pthread_mutex_lock(&r->lock);
	usage_fill(r);
	result->n_usage = (size_t)r->n_stage;
	result->usage = r->usage_ptr;
	send(r, COLCONV__FROM_WORKER__BODY_RESULT, result);
	(void)pthread_mutex_unlock(&r->lock);
}

void
report_failure(struct report *r, const struct err *e)
{
	Colconv__Failure failure = COLCONV__FAILURE__INIT;

	failure.reason = (char *)(uintptr_t)err_name(e->code);
	failure.message = (char *)(uintptr_t)e->msg;
	(void)pthread_mutex_lock(&r->lock);
	usage_fill(r);
	failure.stage = (char *)(uintptr_t)(r->n_stage ? r->stage[r->n_stage - 1].name : "");
	failure.n_usage = (size_t)r->n_stage;
	failure.usage = r->usage_ptr;
	send(r, COLCONV__FROM_WORKER__BODY_FAILURE, &failure);
	(void)pthread_mutex_unlock(&r->lock);
}
