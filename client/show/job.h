/* A job's document, as the daemon sends it (proto/api.md). */
#ifndef CLIENT_JOB_H
#define CLIENT_JOB_H

#include "base/json.h"

/* A job that failed. Parity and cancellation have exit statuses of their own (errors.def). */
#define EXIT_JOB_FAILED 5

/* Borrowed; "" when there is no such member, or it is no string. */
const char *job_str(const json_t *job, const char *key);

/* 0 when there is no such member, or it is no number. */
double job_number(const json_t *obj, const char *key);
uint64_t job_whole(const json_t *obj, const char *key);

bool job_ended(const json_t *job);

/* The exit status for how a job that has ended did. */
int job_exit(const json_t *job);

/* Of several: a failure goes before a failed parity, and that before a cancellation. */
int job_exit_worst(const json_t *jobs);

/* That in words, with what to try; `done` (remedy_fill) is added for one that is done, NULL: nothing. The exit status. */
int job_end_words(const json_t *job, const char *done, struct buf *ret);

/* "queued, 3 ahead" and the like, of a job that waits; into `buf`, which is returned. */
const char *job_waiting(const json_t *job, char *buf, size_t len);

/* "12s", "5m", "3h", "40d" since the time that a member has; "-" when it has none. */
const char *job_age(const json_t *obj, const char *key, char *buf, size_t len);

/* The exit status for a conversion that failed for this reason. */
int job_exit_status(int reason);

/* Milliseconds since 1970 of an RFC 3339 time in UTC; -1 when it is none. */
int64_t job_time(const json_t *job, const char *key);

#endif
