/* The parts that the handlers share. */
#ifndef HTTP_API_API_PRIVATE_H
#define HTTP_API_API_PRIVATE_H

#include "api.h"
#include "http/core/reply.h"
#include "queue/job.h"
#include "queue/store.h"

#define API_MAGIC 0x61706930u

/* Length of a page of jobs, events or artifacts. A cursor may have 19 digits, more than any id. */
#define PAGE_LIMIT_DEFAULT 50
#define PAGE_LIMIT_MAX 1000
#define PAGE_CURSOR_MAX UINT64_C(9999999999999999999)

/* A page ends early at this size: a job may have some kilobytes, and many clients may ask at once. */
#define PAGE_BYTES_MAX (256u << 10)

struct submission;
struct purge;

struct api {
	unsigned magic;
	struct api_spec spec;
	struct server *server;
	struct live *live;
	int64_t started; /* ms since 1970 */
	bool stopping;   /* a job that is submitted now starts after the next start of the daemon */
	STAILQ_HEAD(, submission) submissions; /* wait for the commit at the end of this turn */
	struct server_turn commit;
	STAILQ_HEAD(, purge) purges; /* the first one is running */
	struct loop_timer purge;
};

struct api *api_of(const struct request *q);

/* Reports that the request changed something; `job` is 0 when it is not about one job. */
void api_changed(const struct request *q, int64_t job, const char *what, const char *model);

/* E_NOT_ALLOWED when the caller may only change its own jobs, and the job of the path is another's. */
int api_check_owner(const struct request *q, struct err *e);

/*
 * Commits the submissions of this turn and answers them. Returns whether there were any. For
 * server_turn_add().
 */
bool api_submissions_commit(void *arg);

/* Refuses the submissions that still wait, when the daemon stops. */
void api_submissions_end(struct api *a);

/* E_BUSY when `queued` jobs are queued already and one more is not allowed. */
int api_queue_check(const struct api *a, int64_t queued, struct err *e);

/* Runs the next step of the oldest purge. */
void api_purge_due(void *arg);

/* Answers all purges, when the daemon stops. */
void api_purges_end(struct api *a);

struct disk {
	struct stored stored;
	int64_t queue_bytes;
	uint64_t free_bytes; /* of the file system of the state folder */
	uint64_t total_bytes;
};

int api_disk_get(const struct api *a, struct disk *ret, struct err *e);

/* Whether jobs are accepted and can run. */
bool api_is_ready(const struct api *a, uint64_t free_bytes);

/* Prints the job as JSON, with the progress that its runner knows; `ahead` as in job_moment. */
void api_job_print(const struct api *a, const struct job *job, int64_t ahead, struct buf *b);

/* Replies with the same JSON. */
int api_job_reply(struct request *q, unsigned status, const struct job *job, int64_t ahead, struct err *e);

#endif
