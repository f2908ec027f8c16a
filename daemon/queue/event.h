/*
 * The numbered events of jobs: what streams, histories and logs show.
 *
 * Ids grow across all jobs and restarts and are never reused. An event is shown only after its transaction is
 * durable. A client that asks for the events after the last id it saw therefore gets each event exactly once,
 * even if the daemon was killed in between.
 */
#ifndef QUEUE_EVENT_H
#define QUEUE_EVENT_H

#include "base/buf.h"
#include "base/json.h"
#include "job.h"

#define EVENT_STATE "state" /* {"state", "attempt", "reason", "message"} */
#define EVENT_STAGE "stage" /* {"stage", "attempt"} */
#define EVENT_LOG "log"     /* {"line"} */

struct event {
	int64_t id;
	int64_t job;
	int64_t at;
	const char *name;
	const char *data; /* an object in JSON, on one line */
};

int event_add(struct store *s, int64_t job, int64_t at, const char *name, const json_t *data, struct err *e);

/* Call it in the transaction that changes the state. */
int event_add_state(struct store *s, int64_t job, int64_t at, enum job_state state, int attempt,
		    const char *reason, const char *message, struct err *e);

enum event_which { EVENTS_ALL, EVENTS_ALL_BUT_LOGS, EVENTS_JOB, EVENTS_JOB_LOG };

/* The strings live until it returns. A negative return stops the listing and becomes its result. */
typedef int (*event_fn)(const struct event *ev, void *arg, struct err *e);

/* Lists at most `limit` events with ids above `after`, in order. EVENTS_ALL and EVENTS_ALL_BUT_LOGS ignore `job`. */
int event_list(struct store *s, enum event_which which, int64_t job, int64_t after, int limit, event_fn fn,
	       void *arg, struct err *e);

/* The id of the newest event; 0 when no event was ever added. */
int event_newest(struct store *s, int64_t *ret, struct err *e);

/* Counts a job's events with ids above `after`, up to `max`. */
int event_count(struct store *s, int64_t job, int64_t after, int64_t max, int64_t *ret, struct err *e);

/* A job's log has a line "TIME text" for each EVENT_LOG; this many bytes come on top of the text. */
#define EVENT_LOG_EXTRA 26

/* Bytes of a job's log. */
int event_log_size(struct store *s, int64_t job, int64_t *ret, struct err *e);

/* *ret is the id after which come the last `lines` of a job's log. */
int event_log_tail(struct store *s, int64_t job, int64_t lines, int64_t *ret, struct err *e);

/* Prints the event's data, with the "job" that streams and histories show, on one line. */
void event_data_print(const struct event *ev, struct buf *b);

/* The object `Event` of proto/openapi.json. */
int event_to_json(const struct event *ev, json_t **ret, struct err *e);

#endif
