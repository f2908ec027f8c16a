/* A job's document, as the daemon sends it (proto/api.md). */
#ifndef CLIENT_JOB_H
#define CLIENT_JOB_H

#include "cli.h"

/* Borrowed; "" when there is no such member, or it is no string. */
const char *job_str(const json_t *job, const char *key);

/* 0 when there is no such member, or it is no number. */
double job_number(const json_t *obj, const char *key);
uint64_t job_whole(const json_t *obj, const char *key);

bool job_ended(const json_t *job);

/* How a job that has ended did: the exit status, after telling why on stderr if it is not 0. */
int job_outcome(const json_t *job);

/* The exit status for a conversion that failed for this reason. */
int job_exit_status(int reason);

int job_get(struct cli *c, uint64_t id, json_t **ret, struct err *e);

/* Milliseconds since 1970 of an RFC 3339 time in UTC; -1 when it is none. */
int64_t job_time(const json_t *job, const char *key);

#endif
