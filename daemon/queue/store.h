/*
 * The jobs, durable in SQLite: STATE/queue.db.
 *
 * A call that changes something is durable when it returns 0: WAL with synchronous=FULL. Inside
 * store_begin() .. store_commit() the calls share one commit, and nothing of the batch is durable
 * (nor may be told to anyone) before store_commit() returned 0. A call that fails inside a batch
 * undoes its own work only, unless the disk is full or memory ran out: then the batch is lost,
 * further calls in it fail, and so does store_commit().
 *
 * One process holds a state folder (STATE/lock), with one connection, which locks the file for
 * itself: no second writer, no reader that holds up a checkpoint. Not for use by several threads.
 * Never carry a store over a fork that does not exec.
 *
 * After an I/O error nobody knows what the disk has: the store is broken, every further call fails,
 * and the daemon is to stop; the next start recovers (recover.h).
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include "artifact/artifact.h"
#include "spec/spec.h"
#include "job.h"

struct store;

/*
 * Makes the folder and the database when they are missing. E_BUSY: another process holds the
 * folder. E_BAD_DATABASE: damaged (looked for after an unclean stop), or of a newer version.
 */
int store_open(const char *state_dir, struct store **ret, struct err *e);
void store_close(struct store **s);

bool store_broken(const struct store *s);

int store_begin(struct store *s, struct err *e);
int store_commit(struct store *s, struct err *e); /* ends the batch, also when it fails */
void store_rollback(struct store *s);

/* A job to be. */
struct store_submission {
	const struct spec *spec;
	const char *owner;  /* name of the token that it came with; "": nobody's */
	const char *key;    /* Idempotency-Key; NULL: none */
	const char *sha256; /* with a key: spec_sha256() */
	int64_t now;
};

/*
 * Queues a job. Ids grow, and none is used twice. *ret is released with job_release(). When the database fails, so does
 * the batch.
 */
int store_job_add(struct store *s, const struct store_submission *sub, struct job *ret, struct err *e);

/* 1 with the job that this owner queued with this key, 0 for none. E_KEY_REUSED: it is another spec's. */
int store_key_find(struct store *s, const struct store_submission *sub, int64_t *ret_id, struct err *e);

/* E_NOT_FOUND when there is none. *ret is released with job_release(). */
int store_job_get(struct store *s, int64_t id, struct job *ret, struct err *e);

/* How many jobs are in each state; costs the same with any number of jobs. */
int store_counts(struct store *s, int64_t ret[JOB_STATE_MAX], struct err *e);

/*
 * Forgets an ended job and all rows that are its own; its files are the caller's to remove, before.
 * E_CONFLICT when it has not ended.
 */
int store_job_remove(struct store *s, int64_t id, struct err *e);

/* How many queued jobs have their turn before this queued one; -1: more than STORE_AHEAD_MAX. */
#define STORE_AHEAD_MAX 10000
int store_job_ahead(struct store *s, const struct job *job, int64_t *ret, struct err *e);

/* When the next pause of a queued job ends; 0 when none is pausing at `now`. */
int store_next_due(struct store *s, int64_t now, int64_t *ret, struct err *e);

/* Puts these in the place of the stages that are known of this attempt. */
int store_stages_set(struct store *s, int64_t id, int attempt, const struct job_stage *stages, size_t n,
		     struct err *e);

/* Where the last attempt runs. */
int store_runner_set(struct store *s, int64_t id, const char *runner, struct err *e);

/* What the attempt with this nonce used; nothing happens when it is not the one that runs. */
int store_usage_set(struct store *s, int64_t id, const char *nonce, const struct job_usage *usage,
		    struct err *e);

/*
 * Notes that the daemon died under a job. *ret is how often it did, or 0 when that came to `max`: then the
 * count begins anew.
 */
int store_death_add(struct store *s, int64_t id, int64_t max, int64_t *ret, struct err *e);

/* The files of a done job by name; empty for others. Released with artifact_list_release(). */
int store_file_list(struct store *s, int64_t id, struct artifact_list *ret, struct err *e);

#endif
