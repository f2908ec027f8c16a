/*
 * From a worker's result to a job that is done. Three steps, each durable before the next:
 *
 *	1  the result and the stages go into the job's row, still running
 *	2  staging/<job>.<attempt> is renamed to artifacts/<job>
 *	3  the job is done, with its file rows
 *
 * A row that is running and has a result is what a crash after step 1 leaves; publish_resume()
 * goes on from there, whichever of the folders it finds.
 */
#ifndef QUEUE_PUBLISH_H
#define QUEUE_PUBLISH_H

#include "store.h"

/*
 * Blocks for the fsync of what the worker has fsynced already, and for folders. On failure
 * nothing is shown: job_fail() with the error (it takes the result back), unless store_broken().
 * E_CONFLICT: not the running attempt; its files are nobody's, discard them.
 */
int publish_job(struct store *s, const char *state_dir, int64_t id, const char *nonce, int64_t now,
		const json_t *result, const struct job_stage *stages, size_t n_stages, struct err *e);

/* Steps 2 and 3 of a running job that has a result. */
int publish_resume(struct store *s, const char *state_dir, const struct job *job, int64_t now, struct err *e);

#endif
