/*
 * From a worker's result to a job that is done. Three steps, each durable before the next:
 *
 *	1  the result and the stages go into the job's row, still running
 *	2  staging/<job>.<attempt> is renamed to artifacts/<job>
 *	3  the job is done, with its file rows
 *
 * A crash after step 1 leaves a running row with a result. publish_resume() finishes it, whether the folder was
 * already renamed or not.
 */
#ifndef QUEUE_PUBLISH_H
#define QUEUE_PUBLISH_H

#include "store.h"

/* What an attempt came to. */
struct publication {
	const json_t *result;
	const struct job_stage *stages;
	size_t n_stages;
	const char *recipe; /* of the artifact (worker.proto); "": not known */
	int64_t made_by;    /* the job whose files artifact_share() has linked; 0: the attempt made its own */
};

/*
 * Publish the artifact of a running attempt. Blocks for fsync: files (the worker has synced them already) and
 * folders. After a failure no artifact is visible; call job_fail() with the error, which removes the result, unless
 * store_broken(). E_CONFLICT: another attempt runs by now; discard the files of this one.
 */
int publish_job(struct store *s, const char *state_dir, int64_t id, const char *nonce, int64_t now,
		const struct publication *p, struct err *e);

/* Steps 2 and 3 of a running job that has a result. */
int publish_resume(struct store *s, const char *state_dir, const struct job *job, int64_t now, struct err *e);

#endif
