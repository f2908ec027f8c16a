/*
 * One attempt at a job, from the start of its worker until the queue has recorded its end. The dispatcher starts
 * attempts and finds them again through the list of runs (runner.h); an attempt frees itself when it is recorded.
 *
 * This header is for dispatch.c and attempt.c only: it shows them the dispatcher's state, which both change.
 */
#ifndef SERVICE_ATTEMPT_H
#define SERVICE_ATTEMPT_H

#include "dispatch.h"
#include "journal.h"

/* Pause before a retry after an error of the queue or the disk. */
#define AGAIN_MS 5000

struct dispatch {
	unsigned magic;
	struct dispatch_spec spec;
	struct live *live;
	struct journal journal;
	struct loop_timer kick;
	bool held;     /* true until dispatch_begin(): do not claim yet */
	bool lacking;  /* a resource for starting workers ran out: do not claim until it is available */
	bool draining; /* no more claims */
	bool stopping; /* the attempts that end now were stopped by us */
};

/* Starts the worker of a claimed job. Every failure is recorded in the queue as the end of the attempt. */
void attempt_start(struct dispatch *d, struct runner *runner, const struct job *job);

/* Kills the worker and frees the attempt without recording its end: the next start of the daemon recovers the job. */
void attempt_abandon(struct run *run);

/* Stop claiming jobs until the resource that `why` says is missing is available again. */
void dispatch_lack(struct dispatch *d, const struct err *why);

/* An attempt is over and its slot free: claim the next job, or tell that the dispatcher is idle if it drains. */
void dispatch_attempt_over(struct dispatch *d);

#endif
