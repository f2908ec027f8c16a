/*
 * A job and the changes of its state.
 *
 * job_apply() is the only door to a new state (spec/states.def): one UPDATE that names the id, the
 * state and the nonce it expects, in one transaction with its event. The functions
 * after it choose the event. Order of calls for one attempt:
 *
 *	job_claim              queued -> running, with a number and a nonce of its own
 *	artifact_stage         and the worker runs there
 *	publish_job            (publish.h) running -> done
 *	  or job_fail          running -> failed, queued again, or cancelled when that was asked for
 *	  or job_hand_back     running -> queued again, or cancelled: the daemon stops
 *
 * Without a result, artifact_discard comes before these (and before it artifact_keep_report, for
 * E_PARITY): its files may be what the disk is full of. With one that was not published, after them.
 * What a daemon that died leaves running is queued again by the next start (recover.h).
 *
 * Attempts are numbered from 1. A failure for a retryable reason is followed by another attempt
 * after a pause of 2 s, 8 s, ... up to 10 min while attempt < attempts_max. An attempt that ended
 * because the daemon did is nobody's failure: it raises attempts_max by one, so a job survives many
 * restarts (recover.h). All times are ms since 1970. A pause that is longer than any can be is of a clock that went
 * back since: it is over.
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

/* What a stage of an attempt took, as the worker says. */
struct job_stage {
	char *name;
	double seconds;
	int64_t peak_anon_bytes;
};

/* What the process that we started for an attempt took, with all that it waited for. */
struct job_usage {
	double seconds; /* 0: not known */
	double cpu_seconds;
	int64_t peak_rss_bytes; /* of the largest process */
};

struct job {
	int64_t id;
	enum job_state state;
	int64_t created;
	int64_t started;       /* of the attempt that runs or ended the job; 0 while queued */
	int64_t ended;         /* 0 until it ended */
	int64_t not_before;    /* when a queued job may be claimed; 0: at once */
	int attempt;           /* number of the last one claimed; 0: none yet */
	int attempts_max;      /* the spec's attempts at first */
	bool cancel_requested; /* the runner is to stop the worker, then job_fail() with E_CANCELLED */
	char nonce[JOB_NONCE_LEN + 1]; /* "" unless running */
	int priority;
	char *owner;            /* name of the token that it came with; "": nobody's */
	char *runner;           /* of the last attempt; NULL: none yet */
	struct job_usage usage; /* of the last attempt that ended */
	struct {
		int64_t files; /* 0: never any */
		int64_t bytes;
		int64_t removed; /* when; 0: it is there */
	} artifact;
	int64_t event; /* number of its newest event; 0: none yet */
	char *reason;  /* wire name of an error, NULL when there is none */
	char *message;
	char *spec;   /* JSON, by spec_print() */
	char *result; /* JSON; set while an artifact is being published and when done; else NULL */
	struct job_stage *stages; /* of the last attempt */
	size_t n_stages;
};

void job_release(struct job *job);

/* What is known of a job at this moment, and not in its row. */
struct job_moment {
	const char *stage;    /* NULL: it has none */
	const char *progress; /* JSON; NULL: none */
	int64_t ahead;        /* of a queued job: how many come before it; -1: not counted */
	bool stopping;        /* the daemon starts no job until its next start */
};

/* The object of proto/api.md, as JSON. */
void job_print(const struct job *job, const struct job_moment *now, struct buf *b);

const char *job_state_to_str(enum job_state state);
bool job_state_from_str(const char *name, enum job_state *ret);
bool job_state_ended(enum job_state state);

/* The table alone: false when the pair is not in it. */
bool job_next(enum job_state from, enum job_event ev, enum job_state *ret);

struct job_change {
	int64_t now;
	const char *nonce;   /* of the attempt that runs; NULL for a queued job */
	int code;            /* RETRY, FAIL: a negative E_* */
	const char *message; /* RETRY, FAIL */
};

/*
 * E_NOT_FOUND: no such job. E_CONFLICT: the table has no such pair, or the nonce is of another
 * attempt; nothing is changed.
 */
int job_apply(struct store *s, int64_t id, enum job_event ev, const struct job_change *c, struct err *e);

/* The next queued job, by priority and age, of those that may run now becomes running: 1 with *ret (to be released), 0 for none. */
int job_claim(struct store *s, int64_t now, struct job *ret, struct err *e);

/*
 * The attempt ended without an artifact, for the reason `why`; the stages it reached may be none.
 * Cancelled when that was asked for, queued again when the reason is retryable and attempts are
 * left, else failed.
 */
int job_fail(struct store *s, int64_t id, const char *nonce, int64_t now, const struct err *why,
	     const struct job_stage *stages, size_t n_stages, struct err *e);

/* A daemon that stops ended the attempt: the job is queued again as after a restart, or cancelled when that was asked for. */
int job_hand_back(struct store *s, int64_t id, const char *nonce, int64_t now, struct err *e);

/*
 * Cancels a queued job; of a running one only takes a note (cancel_requested) for the runner.
 * *ret is the state afterwards. E_CONFLICT when the job has ended.
 */
int job_cancel(struct store *s, int64_t id, int64_t now, enum job_state *ret, struct err *e);

/* A failed or cancelled job is queued again, with as many attempts as its spec says. E_CONFLICT for others. */
int job_retry(struct store *s, int64_t id, int64_t now, struct err *e);

int64_t job_now(void);

#endif
