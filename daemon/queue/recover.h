/*
 * Cleans up at the start, however the last daemon ended. No worker runs yet, so every running job and every
 * staging folder was left by the last daemon. Safe to repeat, also after a crash in the middle.
 *
 *	running, with a result       finished (publish.h); queued again if files are missing
 *	running, to be cancelled     cancelled
 *	running                      queued again; the attempt counts, attempts_max grows by one
 *	running, for the nth time    failed: it may be the job that kills the daemon. Count first, then finish the result,
 *	                             because finishing may be the step that kills it
 *	staging/ anything            moved to trash/
 *	artifacts/ of a job not done moved to trash/; so are those that were removed (retention.h)
 *	artifacts/ of no known job   moved to lost/, not deleted: the database may have been lost
 */
#ifndef QUEUE_RECOVER_H
#define QUEUE_RECOVER_H

#include "store.h"

struct recover_report {
	int finished;
	int requeued;
	int failed;
	int cancelled;
	int staging_removed;
	int artifacts_removed;
	int artifacts_lost; /* moved to lost/ */
};

/*
 * Call it after artifact_init() and before the first claim. A job fails when the daemon died `deaths_max` times
 * while it ran. After E_NO_SPACE call it again when the disk has room (reserve.h); after any other error stop the
 * daemon.
 */
int recover_run(struct store *s, const char *state_dir, int64_t deaths_max, int64_t now,
		struct recover_report *ret, struct err *e);

#endif
