/*
 * Streams of events (text/event-stream).
 *
 * A stream is either live, and gets events as they are published, or behind, and reads them from the
 * queue in small pages whenever it has sent what it had. It begins behind when its client names the last
 * event it saw, and falls behind when its reader is too slow for the backlog. So a slow reader costs a
 * bounded buffer and misses nothing but progress. A reader that takes nothing at all is closed like any
 * idle connection.
 *
 * A stream whose buffer is empty is suspended; an event resumes it. Every stream gets a comment from time
 * to time, and when its client goes away: writing is how either side notices that the other one is gone.
 */
#ifndef HTTP_LIVE_STREAM_H
#define HTTP_LIVE_STREAM_H

#include "live.h"

struct streams {
	LIST_HEAD(, stream) list;
	const struct live_spec *spec; /* borrowed */
	struct loop_timer heartbeat;
	unsigned n;
	uint64_t bytes; /* of all backlogs */
};

void streams_init(struct streams *ss, const struct live_spec *spec);
void streams_release(struct streams *ss); /* when no stream is left */

/* As live_stream(). */
int stream_reply(struct streams *ss, struct request *q, int64_t job, int64_t after, struct err *e);

/* Sends a numbered event. Call in the order of the numbers. */
void streams_event(struct streams *ss, const struct event *ev);

/* Sends an event that has no number. */
void streams_send(struct streams *ss, int64_t job, const char *event, const json_t *data);

bool streams_watched(const struct streams *ss, int64_t job);

/* After the event that ended the job: `job` is its last state, and the last word of its streams. */
void streams_job_ended(struct streams *ss, const struct job *job);

/* The job was removed. */
void streams_job_removed(struct streams *ss, int64_t job);

/* All streams end when they have sent what they have. */
void streams_close(struct streams *ss);

#endif
