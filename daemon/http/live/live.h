/*
 * Live events: sends committed events to everyone who watches, by streams (text/event-stream) and by long
 * polls.
 *
 * The daemon calls live_publish() after each commit, so nobody polls the queue.
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
	uint64_t stream_backlog_max; /* longest backlog of a slow reader, in bytes */
	int64_t replay_max;          /* most past events that a stream replays */
	int64_t heartbeat_ms;        /* of streams */
	void (*print)(void *arg, const struct job *job, struct buf *b); /* a job as JSON, in one line */
	void (*failed)(void *arg, const struct err *why);               /* the queue could not be read */
	void *arg;
};

int live_new(const struct live_spec *spec, struct live **ret, struct err *e);
void live_free(struct live **l); /* after the server: its connections hold the streams */

/* Replaces the settings that are read at each use. The loop and the store stay. */
void live_set_spec(struct live *l, const struct live_spec *spec);

/* Ends each stream after it has sent its backlog, and answers all waiting requests. */
void live_close(struct live *l);

/*
 * Call after a commit: sends the new numbered events to the streams, and answers the requests that waited for
 * them. Do not call inside a batch of the store: only durable events may be seen.
 */
void live_publish(struct live *l);

/* Sends the progress of a stage. It has no number and is not stored. `data` is taken. */
void live_progress_take(struct live *l, int64_t job, json_t *data);

/* Tells the streams that a job was deleted with its events. */
void live_removed(struct live *l, int64_t job);

unsigned live_streams(const struct live *l); /* open now */

/* Where a stream begins: with a snapshot of the present, or after a given event. */
#define LIVE_SNAPSHOT (-1)

/* Replies with a stream of a job, until the job ends; of all jobs when `job` is 0. */
int live_stream(struct live *l, struct request *q, int64_t job, int64_t after, struct err *e);

/*
 * Suspends a request until its job (q->id) has an event newer than `after`; with LIVE_JOB_END, until the job
 * has ended; at most this many seconds. Then calls the handler again with q->waited set.
 */
#define LIVE_WAIT_MAX 300
#define LIVE_JOB_END (-1)
int live_wait(struct live *l, struct request *q, int64_t after, uint64_t seconds, struct err *e);

#endif
