/*
 * Live events: what the queue committed, to everyone who watches at this moment, by streams
 * (text/event-stream) and by requests that wait for an event (long poll).
 *
 * The daemon calls live_publish() after a commit. Nobody polls the queue.
 */
#ifndef HTTP_LIVE_LIVE_H
#define HTTP_LIVE_LIVE_H

#include "base/buf.h"
#include "base/json.h"
#include "http/core/request.h"
#include "queue/event.h"

struct live;
struct job;

/* All borrowed. */
struct live_spec {
	struct loop *loop;
	struct store *store;
	unsigned streams_max;        /* streams and waiting requests together */
	uint64_t stream_backlog_max; /* bytes that wait for a slow reader of events */
	int64_t replay_max;          /* past events that a stream is sent */
	int64_t heartbeat_ms;        /* of streams */
	void (*print)(void *arg, const struct job *job, struct buf *b); /* a job as JSON, in one line */
	void (*failed)(void *arg, const struct err *why);               /* the queue could not be read */
	void *arg;
};

int live_new(const struct live_spec *spec, struct live **ret, struct err *e);
void live_free(struct live **l); /* after the server: its connections hold the streams */

/* Replaces what is read at each use; the loop and the store stay. */
void live_set_spec(struct live *l, const struct live_spec *spec);

/* Ends all streams when they have sent what they have, and all waiting. */
void live_close(struct live *l);

/*
 * After a commit: shows the new numbered events to the streams, and answers the requests that waited for
 * them. Not inside a batch of the store: only durable events may be shown.
 */
void live_publish(struct live *l);

/* Shows the progress of a job's stage, which has no number and is not kept; `data` is taken. */
void live_progress_take(struct live *l, int64_t job, json_t *data);

/* The job was removed, with its events. */
void live_removed(struct live *l, int64_t job);

unsigned live_streams(const struct live *l); /* open now */

/* Where a stream begins: with a snapshot of the present, or after an event. */
#define LIVE_SNAPSHOT (-1)

/* Replies with a stream of a job, until the job ends; of all jobs when `job` is 0. */
int live_stream(struct live *l, struct request *q, int64_t job, int64_t after, struct err *e);

/*
 * Suspends a request until its job (q->id) has an event newer than `after`, or, with LIVE_JOB_END, until
 * the job has ended; at most so many seconds. Then the handler is called again with q->waited set.
 */
#define LIVE_WAIT_MAX 300
#define LIVE_JOB_END (-1)
int live_wait(struct live *l, struct request *q, int64_t after, uint64_t seconds, struct err *e);

#endif
