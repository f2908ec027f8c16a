/*
 * Live events to whoever watches a job or all of them (text/event-stream).
 *
 * A stream is live, and gets events as they are published, or behind, and reads them from the queue
 * in small pages whenever it has sent what it had. It begins behind when its client names the last
 * event it saw, and falls behind when its reader is too slow for the backlog: so a slow reader costs
 * a bounded buffer and misses nothing but progress. One that takes nothing at all is closed like any
 * idle connection.
 *
 * A stream whose buffer is empty is suspended; an event resumes it. Every stream gets a comment from time
 * to time, which shows both sides that the other one is there, and when its client goes away.
 */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "base/json.h"
#include "base/loop.h"
#include "queue/event.h"
#include "request.h"

struct streams {
	LIST_HEAD(, stream) list;
	struct server *server;
	struct loop_timer heartbeat;
	unsigned n;
};

void streams_init(struct streams *ss, struct server *server);
void streams_release(struct streams *ss); /* when no stream is left */

/* Where a stream begins: with a picture of what there is, or after this event. */
#define STREAM_ANEW (-1)

/* Replies with a stream of a job, until it ends; of all jobs with `job` 0. */
int stream_reply(struct streams *ss, struct request *q, int64_t job, int64_t after, struct err *e);

/* In order of ids. */
void streams_event(struct streams *ss, const struct event *ev);

/* Without a number. */
void streams_send(struct streams *ss, int64_t job, const char *event, const json_t *data);

bool streams_watched(const struct streams *ss, int64_t job);

/* After the event that ended it: `job` is the last picture of it. */
void streams_job_ended(struct streams *ss, const struct job *job);

/* The job is no more. */
void streams_job_removed(struct streams *ss, int64_t job);

/* All streams end when what they have is sent. */
void streams_close(struct streams *ss);

#endif
