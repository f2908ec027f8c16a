/* What the handlers (api_*.c) see of the server. */
#ifndef HTTP_API_H
#define HTTP_API_H

#include "conn.h"
#include "queue/retention.h"
#include "reply.h"
#include "server.h"
#include "stream.h"
#include "token.h"
#include "wait.h"

#define SERVER_MAGIC 0x73727672u

struct server {
	unsigned magic;
	struct server_spec spec;
	struct MHD_Daemon *mhd;
	struct loop_fd poll;    /* MHD's own epoll descriptor */
	struct loop_timer wake; /* when MHD is to run without an event */
	bool woken;             /* it is to run again at once */
	int64_t started;        /* ms since 1970 */
	bool stopping;          /* no job that comes now begins before the next start */
	bool ending;            /* nothing is begun any more: who would wait now would wait for nobody */
	struct tokens *tokens;  /* NULL: nobody is asked */
	struct conns conns;
	struct listener **listeners;
	size_t n_listeners;
	struct streams streams;
	struct waits waits;
	int64_t published;           /* the last event that was shown to these two */
	STAILQ_HEAD(, purge) purges; /* under way, the first of them */
	struct loop_timer purge;
	struct request_queue submissions; /* wait for the commit of this turn */
};

/* After a connection was resumed: in an external loop MHD does not notice by itself. */
void server_wake(struct server *s);

/* Before a stream or a request that waits: E_BUSY when there are streams_max already. */
int feed_enter(struct server *s, struct err *e);

/* One commit for all that wait; then their replies are set and the connections resumed. */
void api_submissions_commit(struct server *s);

/* At the end of the server: those that still wait are refused. */
void api_submissions_end(struct server *s);

/* E_BUSY when no job may be added to so many queued ones. */
int api_queue_check(const struct server *s, int64_t queued, struct err *e);

/* The next turn of the first purge. At the end of the server: all are answered. */
void api_purge_due(void *arg);
void api_purges_end(struct server *s);

struct disk {
	struct stored stored;
	int64_t queue_bytes;
	uint64_t free_bytes; /* of the file system of the state folder */
	uint64_t total_bytes;
};

int api_disk_get(const struct server *s, struct disk *ret, struct err *e);

/* Whether jobs are taken and can run. */
bool api_is_ready(const struct server *s, uint64_t free_bytes);

/* The job with what its runner knows of it; `ahead` as in job_moment. */
void api_job_print(const struct server *s, const struct job *job, int64_t ahead, struct buf *b);

/* The same as the reply. */
int api_job_reply(struct request *q, unsigned status, const struct job *job, int64_t ahead, struct err *e);

#endif
