/*
 * From the queue to the runners and back: claims jobs while a slot is free, watches their
 * workers, publishes what they made, and settles every attempt in the queue.
 *
 * A worker that cannot be started since the daemon ran out of descriptors, processes, memory or disk costs its job no
 * attempt: nothing is claimed until these are there again, which is looked at every few seconds.
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
	int64_t start_ms; /* of a worker, until it says Hello */
	int64_t silence_ms;
	int64_t timeout_ms;
	int64_t grace_ms;
	uint64_t log_max;         /* bytes of a job's log */
	void (*ended)(void *arg); /* an attempt, also when the queue did not take it: see trash/ */
	void (*failed)(void *arg, const struct err *why); /* an error of the queue or the disk */
	void (*idle)(void *arg); /* after dispatch_drain() or dispatch_stop(): the last worker is gone */
	void *arg;
};

/* The live events get what happens to the jobs; they are made later. */
int dispatch_new(const struct dispatch_spec *spec, struct dispatch **ret, struct err *e);
void dispatch_set_live(struct dispatch *d, struct live *live);

/* Kills the workers that are left; their attempts are for recovery. */
void dispatch_free(struct dispatch **d);

/* From now on jobs are claimed: the queue has recovered. */
void dispatch_begin(struct dispatch *d);

/* There may be work. */
void dispatch_kick(struct dispatch *d);

/* What is asked for at each use; the loop and the store stay. */
void dispatch_set_spec(struct dispatch *d, const struct dispatch_spec *spec);

/* Claims no more. */
void dispatch_drain(struct dispatch *d);

/* Claims no more, stops the workers, and hands their jobs back to the queue. */
void dispatch_stop(struct dispatch *d);

#endif
