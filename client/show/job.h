/* Reads a job's document (proto/api.md). */
#ifndef CLIENT_JOB_H
#define CLIENT_JOB_H

#include "base/json.h"

/* Exit status for a failed job. A failed parity check and a cancellation have their own (errors.def). */
#define EXIT_JOB_FAILED 5

/* Borrowed; "" when the member is missing or is not a string. */
const char *job_str(const json_t *job, const char *key);

/* 0 when the member is missing or is not a number. */
double job_number(const json_t *obj, const char *key);
uint64_t job_whole(const json_t *obj, const char *key);

bool job_ended(const json_t *job);

/* The exit status for the way in which a job ended. */
int job_exit(const json_t *job);

/*
 * The exit status for several jobs: a failure counts before a failed parity check, and that before a
 * cancellation.
 */
int job_exit_worst(const json_t *jobs);

/*
 * Adds how the job ended, in words, with the remedy of a failure. For a done job, adds `done` (remedy_fill();
 * NULL: nothing). Returns the exit status.
 */
int job_end_words(const json_t *job, const char *done, struct buf *ret);

/* Words for a waiting job, such as "queued, 3 ahead", in `buf`, which is returned. */
const char *job_waiting(const json_t *job, char *buf, size_t len);

/* The time since a member's time, as "12s", "5m", "3h" or "40d"; "-" when it has none. */
const char *job_age(const json_t *obj, const char *key, char *buf, size_t len);

/* The exit status for a conversion that failed for this reason. */
int job_exit_status(int reason);

/* Milliseconds since 1970 of an RFC 3339 time in UTC; -1 for any other text. */
int64_t job_time(const json_t *job, const char *key);

#endif
