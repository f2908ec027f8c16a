/*
 * A job and the changes of its state.
 *
 * job_apply() is the only door to a new state (spec/states.def): one UPDATE that names the id, the
 * state and the nonce it expects, in one transaction with its event. The functions
 * after it choose the event. Order of calls for one attempt:
 *
 *	job_claim              queued -> running, with a number and a nonce of its own
 *	artifact_stage         makes the folder in which the worker runs
 *	publish_job            (publish.h) running -> done
 *	  or job_fail          running -> failed, queued again, or cancelled if a cancel was requested
 *	  or job_hand_back     running -> queued again, or cancelled if requested: the daemon stops
 *
 * When the worker gave no result, call artifact_discard first (for E_PARITY artifact_keep_report before that),
 * because its files may fill the disk that the queue must write to. When a result could not be published, call it
 * after job_fail.
 * Jobs that were running when a daemon died are queued again at the next start (recover.h).
 *
 * Attempts are numbered from 1. A failure for a retryable reason is followed by another attempt
 * after a pause of 2 s, 8 s, ... up to 10 min while attempt < attempts_max. An attempt that ended because the daemon stopped or died does not count as a failure: attempts_max grows by
 * one, so a job survives many restarts (recover.h). All times are ms since 1970. If `not_before` is further away
 * than the longest pause, the system clock was set back; the job may start now.
 */
#ifndef QUEUE_JOB_H
#define QUEUE_JOB_H

#include "base/json.h"

#define JOB_NONCE_LEN 32 /* hex digits */

#define JOB_PAUSE_MAX_MS 600000

struct store;

enum job_state {
#define STATE(sym, ...) JOB_##sym,
#include "spec/states.def"
	JOB_STATE_MAX
};

enum job_event {
#define EVENT(sym, ...) JOB_EVENT_##sym,
#include "spec/states.def"
	JOB_EVENT_MAX
};

/* Time and memory of one stage, as reported by the worker. */
struct job_stage {
	char *name;
	double seconds;
	int64_t peak_anon_bytes;
};

/* Time and memory of the attempt's process and of the children it waited for, as measured by the daemon. */
struct job_usage {
	double seconds; /* 0: not known */
	double cpu_seconds;
	int64_t peak_rss_bytes; /* of the largest process */
};

struct job {
	int64_t id;
	enum job_state state;
	int64_t created;
	int64_t started;               /* start of the current or last attempt; 0 while queued */
	int64_t ended;                 /* 0 until it ended */
	int64_t not_before;            /* when a queued job may be claimed; 0: at once */
	int attempt;                   /* number of the last attempt; 0: not claimed yet */
	int attempts_max;              /* the spec's attempts at first */
	bool cancel_requested;         /* stop the worker, then call job_fail() with E_CANCELLED */
	char nonce[JOB_NONCE_LEN + 1]; /* "" unless running */
	int priority;
	char *owner;            /* name of the token that submitted it; "": submitted without a token */
	char *runner;           /* name of the last attempt's runner; NULL: not started yet */
	struct job_usage usage; /* of the last attempt that ended */
	struct {
		int64_t files; /* 0: never published */
		int64_t bytes;
		int64_t removed; /* when it was removed; 0: not removed */
		int64_t made_by; /* the job that made the files, of which this artifact has links; 0: this one */
	} artifact;
	int64_t event; /* id of its newest event; 0: no event yet */
	char *reason;  /* wire name of an error; NULL without an error */
	char *message;
	char *spec;   /* JSON, by spec_print() */
	char *result; /* JSON; set while an artifact is being published and when done; else NULL */
	struct job_stage *stages; /* of the last attempt */
	size_t n_stages;
};

void job_release(struct job *job);

const char *job_state_to_str(enum job_state state);
bool job_state_from_str(const char *name, enum job_state *ret);
bool job_state_ended(enum job_state state);

/* Looks up the table without changing a job; false when the pair is not allowed. */
bool job_next(enum job_state from, enum job_event ev, enum job_state *ret);

struct job_change {
	int64_t now;
	const char *nonce;   /* of the attempt that runs; NULL for a queued job */
	int code;            /* RETRY, FAIL: a negative E_* */
	const char *message; /* RETRY, FAIL */
};

/*
 * E_NOT_FOUND: the job does not exist. E_CONFLICT: the table does not allow the event in this state, or the nonce
 * belongs to another attempt. Errors change nothing.
 */
int job_apply(struct store *s, int64_t id, enum job_event ev, const struct job_change *c, struct err *e);

/* Start the next job: of the queued jobs that are due, the one with the highest priority, then the oldest. Returns 1 and *ret (release it), or 0 when no job is due. */
int job_claim(struct store *s, int64_t now, struct job *ret, struct err *e);

/*
 * Record that the attempt ended without an artifact, because of `why`. The job becomes cancelled if a cancel was
 * requested, queued if the reason is retryable and attempts are left, else failed. `n_stages` may be 0.
 */
int job_fail(struct store *s, int64_t id, const char *nonce, int64_t now, const struct err *why,
	     const struct job_stage *stages, size_t n_stages, struct err *e);

/* Record that the daemon stopped the attempt because it stops itself: the job is queued again as after a restart, or cancelled if that was requested. */
int job_hand_back(struct store *s, int64_t id, const char *nonce, int64_t now, struct err *e);

/*
 * Cancel a queued job at once; for a running job only set cancel_requested, on which the caller stops the worker.
 * *ret is the new state. E_CONFLICT when the job has ended.
 */
int job_cancel(struct store *s, int64_t id, int64_t now, enum job_state *ret, struct err *e);

/* Queue a failed or cancelled job again, with all attempts of its spec. E_CONFLICT in other states. */
int job_retry(struct store *s, int64_t id, int64_t now, struct err *e);

int64_t job_now(void);

#endif
