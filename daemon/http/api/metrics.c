#include "api_private.h"

#include <dirent.h>
#include <sys/resource.h>

#include "config.h"
#include "routes.h"

const struct metrics_bucket metrics_buckets[METRICS_BUCKETS] = {
	{1000, "0.001"}, {5000, "0.005"},  {25000, "0.025"}, {100000, "0.1"},
	{500000, "0.5"}, {2500000, "2.5"}, {10000000, "10"}, {INT64_MAX, "+Inf"},
};

const char *const metrics_stages[METRICS_STAGE_MAX] = {
	[METRICS_STAGE_RESOLVE] = "resolve", [METRICS_STAGE_TRACE] = "trace",
	[METRICS_STAGE_EXPORT] = "export",   [METRICS_STAGE_REFERENCE] = "reference",
	[METRICS_STAGE_PARITY] = "parity",   [METRICS_STAGE_OTHER] = "other",
};

static void
family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Prints a metric that has one sample. */
static void
single(struct buf *b, const char *name, const char *type, const char *help, double value)
{
	family(b, name, type, help);
	buf_printf(b, "%s %.15g\n", name, value);
}

/* Prints {NAME="VALUE"}; the value may hold any character. */
static void
label(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "{%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_add(b, "\\", 1);
		if (*value == '\n')
			buf_puts(b, "\\n");
		else
			buf_add(b, value, 1);
	}
	buf_puts(b, "\"}");
}

static int
jobs_print(const struct api *a, struct buf *b, struct err *e)
{
	const struct metrics *m = a->spec.metrics;
	int64_t counts[JOB_STATE_MAX];
	int i, r;

	r = store_counts(a->spec.store, counts, e);
	if (r < 0)
		return r;
	family(b, "colconv_jobs", "gauge", "Jobs in each state.");
	for (i = 0; i < JOB_STATE_MAX; i++)
		buf_printf(b, "colconv_jobs{state=\"%s\"} %lld\n", job_state_to_str((enum job_state)i),
			   (long long)counts[i]);
	single(b, "colconv_submissions_total", "counter", "Jobs that were taken.", (double)m->submissions);
	family(b, "colconv_attempts_total", "counter", "Attempts that ended: done, or the reason.");
	for (i = 0; i < ERR_INDEX_MAX; i++)
		buf_printf(b, "colconv_attempts_total{end=\"%s\"} %llu\n", i ? err_name(-i) : "done",
			   (unsigned long long)m->attempts[i]);
	family(b, "colconv_queue_wait_seconds", "summary",
	       "Time from a job's submission to its first attempt.");
	buf_printf(b, "colconv_queue_wait_seconds_sum %.6f\ncolconv_queue_wait_seconds_count %llu\n",
		   m->waits.seconds, (unsigned long long)m->waits.n);
	family(b, "colconv_stage_seconds", "summary", "Time that the stages of attempts took.");
	for (i = 0; i < METRICS_STAGE_MAX; i++)
		buf_printf(b,
			   "colconv_stage_seconds_sum{stage=\"%s\"} %.6f\n"
			   "colconv_stage_seconds_count{stage=\"%s\"} %llu\n",
			   metrics_stages[i], m->stages[i].seconds, metrics_stages[i],
			   (unsigned long long)m->stages[i].n);
	return 0;
}

static void
runners_print(const struct runners *all, struct buf *b)
{
	size_t i;

	family(b, "colconv_slots", "gauge", "Workers that a runner takes at a time.");
	for (i = 0; i < all->n; i++) {
		buf_puts(b, "colconv_slots");
		label(b, "runner", all->rows[i].name);
		buf_printf(b, " %u\n", all->rows[i].slots);
	}
	family(b, "colconv_slots_busy", "gauge", "Slots that have a worker.");
	for (i = 0; i < all->n; i++) {
		buf_puts(b, "colconv_slots_busy");
		label(b, "runner", all->rows[i].name);
		buf_printf(b, " %u\n", all->rows[i].busy);
	}
}

static const char *
route_method(size_t i)
{
	return i < ROUTE_MAX ? routes[i].method : "other";
}

static const char *
route_path(size_t i)
{
	return i < ROUTE_MAX ? routes[i].path : "none";
}

static void
duration_print(const struct metrics *m, size_t i, struct buf *b)
{
	static const char name[] = "colconv_http_request_duration_seconds";
	uint64_t n = 0;
	size_t k;

	for (k = 0; k < METRICS_BUCKETS; k++) {
		n += m->routes[i].buckets[k];
		buf_printf(b, "%s_bucket{method=\"%s\",route=\"%s\",le=\"%s\"} %llu\n", name, route_method(i),
			   route_path(i), metrics_buckets[k].le, (unsigned long long)n);
	}
	buf_printf(b, "%s_sum{method=\"%s\",route=\"%s\"} %.6f\n", name, route_method(i), route_path(i),
		   m->routes[i].seconds);
	buf_printf(b, "%s_count{method=\"%s\",route=\"%s\"} %llu\n", name, route_method(i), route_path(i),
		   (unsigned long long)n);
}

static void
requests_print(const struct metrics *m, struct buf *b)
{
	size_t i, k;

	family(b, "colconv_http_requests_total", "counter",
	       "Requests that were answered. GET stands for HEAD too.");
	for (i = 0; i <= ROUTE_MAX; i++)
		for (k = 1; k < ARRAY_LEN(m->routes[i].answers); k++)
			buf_printf(b,
				   "colconv_http_requests_total{method=\"%s\",route=\"%s\",status=\"%zuxx\"} "
				   "%llu\n",
				   route_method(i), route_path(i), k + 1,
				   (unsigned long long)m->routes[i].answers[k]);
	family(b, "colconv_http_request_duration_seconds", "histogram",
	       "Time from a request's headers to the beginning of its answer.");
	for (i = 0; i <= ROUTE_MAX; i++)
		duration_print(m, i, b);
}

static int
disk_print(const struct api *a, struct buf *b, struct err *e)
{
	struct disk disk;
	int r = api_disk_get(a, &disk, e);

	if (r < 0)
		return r;
	single(b, "colconv_artifacts", "gauge", "Artifacts that are stored.", (double)disk.stored.artifacts);
	single(b, "colconv_artifact_bytes", "gauge", "Bytes of the artifacts that are stored.",
	       (double)disk.stored.bytes);
	single(b, "colconv_queue_bytes", "gauge", "Bytes of the queue's database.", (double)disk.queue_bytes);
	single(b, "colconv_disk_free_bytes", "gauge", "Free for the daemon on the disk of the state folder.",
	       (double)disk.free_bytes);
	single(b, "colconv_disk_size_bytes", "gauge", "Size of the disk of the state folder.",
	       (double)disk.total_bytes);
	single(b, "colconv_ready", "gauge", "1: jobs are taken and can run.",
	       api_is_ready(a, disk.free_bytes));
	return 0;
}

static double
resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long long pages = 0;

	if (f) {
		if (fscanf(f, "%*d %lld", &pages) != 1)
			pages = 0;
		(void)fclose(f);
	}
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static unsigned
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 3; /* without ".", ".." and the descriptor of this listing */
}

static double
seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

/* Prints the process's own figures, with the names that Prometheus' client libraries use. */
static void
process_print(const struct api *a, struct buf *b)
{
	struct rlimit rl = {.rlim_cur = 0};
	struct rusage ru;

	(void)getrusage(RUSAGE_SELF, &ru);
	(void)getrlimit(RLIMIT_NOFILE, &rl);
	single(b, "process_cpu_seconds_total", "counter", "User and system time of the daemon.",
	       seconds(ru.ru_utime) + seconds(ru.ru_stime));
	single(b, "process_resident_memory_bytes", "gauge", "Resident memory of the daemon.",
	       resident_bytes());
	single(b, "process_open_fds", "gauge", "Descriptors that the daemon has open.", descriptors());
	single(b, "process_max_fds", "gauge", "Descriptors that it may have.", (double)rl.rlim_cur);
	single(b, "process_start_time_seconds", "gauge", "Start of the daemon, in seconds since 1970.",
	       (double)a->started / 1e3);
}

static int
metrics_print(const struct api *a, struct buf *b, struct err *e)
{
	int r;

	family(b, "colconv_build_info", "gauge", "Always 1; the version is in the label.");
	buf_printf(b, "colconv_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
	r = jobs_print(a, b, e);
	if (r == 0)
		r = disk_print(a, b, e);
	if (r < 0)
		return r;
	runners_print(a->spec.runners, b);
	requests_print(a->spec.metrics, b);
	single(b, "colconv_connections", "gauge", "Connections that are open.",
	       server_connections(a->server));
	single(b, "colconv_requests", "gauge", "Requests that are in memory, this one too.",
	       server_requests(a->server));
	single(b, "colconv_request_bytes", "gauge",
	       "Memory of requests' bodies, and of large answers that wait for their readers.",
	       (double)server_bytes(a->server));
	single(b, "colconv_event_streams", "gauge", "Streams of events that are open.",
	       live_streams(a->live));
	process_print(a, b);
	return buf_failed(b, e);
}

int
api_metrics_get(struct request *q, struct err *e)
{
	struct buf b = BUF_INIT;
	int r = metrics_print(api_of(q), &b, e);

	if (r < 0) {
		buf_release(&b);
		return r;
	}
	return reply_text_take(q, MHD_HTTP_OK, &b, "text/plain; version=0.0.4; charset=utf-8", e);
}
