/*
 * Runs the jobs: claims a job when a runner has a free slot, starts its worker, publishes the artifact, and records the
 * end of every attempt in the queue.
 *
 * If a worker cannot be started because descriptors, processes, memory or disk ran out, the job keeps its attempt. No
 * job is claimed until the resource is available again; that is checked every few seconds.
 */
#ifndef SERVICE_DISPATCH_H
#define SERVICE_DISPATCH_H

#include "http/api/metrics.h"
#include "http/live/live.h"
#include "queue/store.h"
#include "runner/runner.h"

struct dispatch;

/* All borrowed. */
struct dispatch_spec {
	struct loop *loop;
	struct store *store;
	struct runners *runners;
	struct metrics *metrics;
	const char *state_dir;
	const char *worker;         /* program */
	uint64_t worker_memory_max; /* bytes; 0: no limit */
	const char *const *roots;
	size_t n_roots;
	const char *tokens; /* the file of the setting; "": none */
	int64_t start_ms;   /* longest time until a worker's Hello */
	int64_t silence_ms;
	int64_t timeout_ms;
	int64_t grace_ms;
	uint64_t log_max; /* bytes of a job's log */
	void (*ended)(
		void *arg); /* an attempt ended, even if the queue could not record it; trash/ may have new content */
	void (*failed)(void *arg, const struct err *why); /* an error of the queue or the disk */
	void (*idle)(void *arg); /* after dispatch_drain() or dispatch_stop(): the last worker is gone */
	void *arg;
};

/* `live` gets the events of the jobs; it is made after the dispatcher, and set separately. */
int dispatch_new(const struct dispatch_spec *spec, struct dispatch **ret, struct err *e);
void dispatch_set_live(struct dispatch *d, struct live *live);

/* Kill all remaining workers. The next start recovers their jobs. */
void dispatch_free(struct dispatch **d);

/* Start claiming jobs. Call it when recovery is done. */
void dispatch_begin(struct dispatch *d);

/* Look for due jobs now. */
void dispatch_kick(struct dispatch *d);

/* Set new values after a reload. The loop and the store must stay the same. */
void dispatch_set_spec(struct dispatch *d, const struct dispatch_spec *spec);

/* Stop claiming jobs; running ones continue. */
void dispatch_drain(struct dispatch *d);

/* Stop claiming jobs, stop the workers, and queue their jobs again. */
void dispatch_stop(struct dispatch *d);

#endif
