/* Long polls: requests that stay suspended until an event of their job arrives or their time is over. */
#ifndef HTTP_LIVE_WAIT_H
#define HTTP_LIVE_WAIT_H

#include "live.h"

struct waits {
	LIST_HEAD(, wait) list;
	const struct live_spec *spec; /* borrowed */
	struct loop_timer due;        /* when the first waiting request times out */
	unsigned n;
};

void waits_init(struct waits *ws, const struct live_spec *spec);

/* As live_wait(). The request is answered at once when its client goes away. */
int wait_begin(struct waits *ws, struct request *q, int64_t after, uint64_t seconds, struct err *e);

void waits_event(struct waits *ws, const struct event *ev);
void waits_job_ended(struct waits *ws, int64_t job); /* or was deleted */
bool waits_watched(const struct waits *ws, int64_t job);

/* Answers all waiting requests. */
void waits_end(struct waits *ws);

#endif
