/*
 * Start-up after any end of the daemon before: nothing runs, so every running job and every
 * staging folder is a dead daemon's. Safe to run again, also after a crash in the middle.
 *
 *	running, with a result       finished (publish.h); queued again when its files are not whole
 *	running, to be cancelled     cancelled
 *	running                      queued again; the attempt counts, attempts_max grows by one
 *	running, too often so        failed: maybe it is what kills the daemon. A death is counted before a result is
 *	                             finished, for that may be what kills it
 *	staging/ anything            moved to trash/
 *	artifacts/ of a job not done moved to trash/; so are those that were removed (retention.h)
 *	artifacts/ of no known job   moved to lost/: whoever lost the database wants to keep these
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
 * After artifact_init(), before anything is claimed. A job fails when the daemon died under it
 * `deaths_max` times. After E_NO_SPACE it may be called again, when there is
 * room (reserve.h); any other error means that the daemon should not go on.
 */
int recover_run(struct store *s, const char *state_dir, int64_t deaths_max, int64_t now,
		struct recover_report *ret, struct err *e);

#endif
