/*
 * Requests that wait for an event (long poll): suspended until it comes, or their time is over.
 *
 * They count against streams_max, and are answered at once when their client goes away.
 */
#ifndef HTTP_WAIT_H
#define HTTP_WAIT_H

#include "base/loop.h"
#include "queue/event.h"
#include "request.h"

#define WAIT_MAX 300

struct waits {
	LIST_HEAD(, wait) list;
	struct server *server;
	struct loop_timer due; /* of the one whose time is over first */
	unsigned n;
};

void waits_init(struct waits *ws, struct server *server);

/*
 * From a handler, which is called again when the event is there or so many seconds are over; then
 * q->waited is set, and it must reply.
 */
#define WAIT_END (-1)
int wait_for(struct request *q, int64_t after /* this event of the job, or WAIT_END */, uint64_t seconds,
	     struct err *e);

/* The parameters `wait` and `after` of GET /v1/jobs/{id}: 1 when it waits, 0 when it is to reply now. */
int wait_job(struct request *q, struct err *e);

void waits_event(struct waits *ws, const struct event *ev);
void waits_job_ended(struct waits *ws, int64_t job); /* or is no more */
bool waits_watched(const struct waits *ws, int64_t job);

/* All waiting is over. */
void waits_end(struct waits *ws);

#endif
