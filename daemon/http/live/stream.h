/*
 * Streams of events (text/event-stream).
 *
 * A stream is either live or behind. A live stream gets events as they are published. A stream that is behind
 * reads events from the queue in small pages, whenever it has sent the page before. A stream begins behind
 * when its client names the last event that it saw, and falls behind when its reader is too slow for the
 * backlog. So a slow reader costs a bounded buffer, and misses nothing but progress events. A reader that
 * takes nothing at all is closed like any idle connection.
 *
 * A stream with an empty buffer is suspended, and the next event resumes it. Every stream regularly gets a
 * comment line, because only a write shows that the other side has gone.
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

/* Call after the event that ended the job: sends `job`, its last state, and ends its streams. */
void streams_job_ended(struct streams *ss, const struct job *job);

/* Tells the streams that the job was deleted. */
void streams_job_removed(struct streams *ss, int64_t job);

/* Ends each stream after it has sent its backlog. */
void streams_close(struct streams *ss);

#endif
