/*
 * Live events to whoever watches a job (text/event-stream).
 *
 * A stream whose buffer is empty is suspended; an event resumes it. A suspended connection does
 * not notice that its client went away, so every stream gets a comment from time to time. A
 * reader too slow for the backlog is cut off: it comes back and begins with the job as it is.
 */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "base/json.h"
#include "base/loop.h"
#include "request.h"

struct streams {
	LIST_HEAD(, stream) list;
	struct server *server;
	struct loop_timer heartbeat;
	unsigned n;
	uint64_t id_last; /* of events; grows over restarts too, since it starts from the clock */
};

void streams_init(struct streams *ss, struct server *server);
void streams_release(struct streams *ss); /* when no stream is left */

/* Replies with a stream that begins with the job; it ends at once with `ended`. `data` is taken. */
int stream_reply_take(struct streams *ss, struct request *q, json_t *data, bool ended, struct err *e);

/* An event of a job. With `ended` the job's streams are closed after it. */
void streams_send(struct streams *ss, int64_t job, const char *event, const json_t *data, bool ended);

bool streams_watched(const struct streams *ss, int64_t job);

/* All streams end when what they have is sent. */
void streams_close(struct streams *ss);

#endif
