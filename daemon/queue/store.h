/*
 * The jobs, durable in SQLite: STATE/queue.db.
 *
 * A change is durable when its call returns 0 (WAL with synchronous=FULL). Calls between store_begin() and
 * store_commit() share one commit: show nothing of such a batch to a client before store_commit() returned 0. A call that fails inside a batch
 * undoes its own work only, unless the disk is full or memory ran out: then the batch is lost,
 * further calls in it fail, and so does store_commit().
 *
 * One process uses a state folder (STATE/lock), through one connection that locks the file exclusively, so no other
 * process writes to it or delays a checkpoint by reading. Use a store from one thread only, and never in a child
 * that forked without exec.
 *
 * After an I/O error the content of the disk is unknown: the store is broken and every further call fails. Stop the
 * daemon; the next start recovers (recover.h).
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include "artifact/artifact.h"
#include "spec/spec.h"
#include "job.h"

struct store;

/*
 * Creates the folder and the database when they are missing. E_BUSY: another process holds the folder.
 * E_BAD_DATABASE: damaged (checked after an unclean stop), or written by a newer version.
 */
int store_open(const char *state_dir, struct store **ret, struct err *e);
void store_close(struct store **s);

bool store_broken(const struct store *s);

int store_begin(struct store *s, struct err *e);
int store_commit(struct store *s, struct err *e); /* ends the batch, also when it fails */
void store_rollback(struct store *s);

/* A job that is being submitted. */
struct store_submission {
	const struct spec *spec;
	const char *owner;  /* name of the token that submits it; "": without a token */
	const char *key;    /* Idempotency-Key; NULL: none */
	const char *sha256; /* with a key: spec_sha256() */
	int64_t now;
};

/*
 * Queue a job. Ids grow and are never reused. Release *ret with job_release(). An error of the database makes the
 * batch fail too.
 */
int store_job_add(struct store *s, const struct store_submission *sub, struct job *ret, struct err *e);

/* Returns 1 and the job that this owner queued with this key, else 0. E_KEY_REUSED: that job has another spec. */
int store_key_find(struct store *s, const struct store_submission *sub, int64_t *ret_id, struct err *e);

/* E_NOT_FOUND when it does not exist. Release *ret with job_release(). */
int store_job_get(struct store *s, int64_t id, struct job *ret, struct err *e);

/* Counts the jobs in each state; takes the same time with any number of jobs. */
int store_counts(struct store *s, int64_t ret[JOB_STATE_MAX], struct err *e);

/*
 * Delete all rows of an ended job. Remove its files first. E_CONFLICT when the job has not ended.
 */
int store_job_remove(struct store *s, int64_t id, struct err *e);

/* Counts the queued jobs ahead of this one; -1 for more than STORE_AHEAD_MAX. */
#define STORE_AHEAD_MAX 10000
int store_job_ahead(struct store *s, const struct job *job, int64_t *ret, struct err *e);

/* The time when the next queued job becomes due; 0 when no job is pausing. */
int store_next_due(struct store *s, int64_t now, int64_t *ret, struct err *e);

/* Replace the stored stages of this attempt. */
int store_stages_set(struct store *s, int64_t id, int attempt, const struct job_stage *stages, size_t n,
		     struct err *e);

/* Store the name of the runner of the current attempt. */
int store_runner_set(struct store *s, int64_t id, const char *runner, struct err *e);

/* Store the resources that the attempt used; does nothing if its nonce is no longer the running one. */
int store_usage_set(struct store *s, int64_t id, const char *nonce, const struct job_usage *usage,
		    struct err *e);

/*
 * Count a death of the daemon while the job ran. *ret is the new count; at `max` the count is reset and *ret is 0.
 */
int store_death_add(struct store *s, int64_t id, int64_t max, int64_t *ret, struct err *e);

/* The files of a done job, sorted by name; empty for other jobs. Release with artifact_list_release(). */
int store_file_list(struct store *s, int64_t id, struct artifact_list *ret, struct err *e);

#endif
