/*
 * Starts a worker process, reads its messages and log, stops it, and reports its end.
 *
 * The job goes to its stdin as one frame; frames come back on stdout (proto/worker.proto),
 * lines on stderr. Its messages are checked here: first a Hello with our nonce, last one
 * Result or Failure. The callback `ended` is called once, after all others, when the worker and everything it
 * started have ended (strays.h) and its pipes are closed; it may call child_free().
 */
#ifndef RUNNER_CHILD_H
#define RUNNER_CHILD_H

#include <sys/resource.h>

#include "base/loop.h"
#include "cgroup.h"
#include "worker.pb-c.h"

struct child;

struct child_spec {
	char *const *prefix; /* words of the command before the program, NULL-terminated */
	const char *program;
	char *const *env; /* "NAME=value", NULL-terminated */
	const Colconv__Job *job;
	const struct cgroup *cgroup; /* parent of the attempt's group; NULL: no groups */
	uint64_t memory_max; /* bytes, for the worker and its children; 0: no limit. Needs a control group */
	int64_t start_ms;    /* longest time until its Hello; a cluster's scheduler may delay the start */
	int64_t silence_ms;  /* longest time between two frames after that */
	int64_t timeout_ms;  /* of the whole attempt */
	int64_t grace_ms;    /* between TERM and KILL */
};

/* How the worker ended; valid until child_free(). */
struct child_end {
	const Colconv__Result *result; /* NULL when it failed... */
	struct err why;                /* ...for this reason */
	Colconv__StageUsage **usage;   /* of the stages that it reported */
	size_t n_usage;
	double seconds;          /* from its start to its end */
	struct rusage resources; /* of the worker and the children it waited for */
};

struct child_ops {
	void (*stage)(void *arg, const Colconv__Stage *stage);
	void (*progress)(void *arg, const Colconv__Progress *progress);
	void (*log)(void *arg, const char *line); /* UTF-8 without control characters */

	void (*ended)(void *arg, const struct child_end *end);
};

int child_new(struct loop *l, const struct child_spec *spec, const struct child_ops *ops, void *arg,
	      struct child **ret, struct err *e);

/* Kills the worker if it still runs; `ended` is not called. */
void child_free(struct child **c);

/* Send SIGTERM, and SIGKILL after the grace time. The first reason given becomes end.why. */
void child_stop(struct child *c, int code, const char *fmt, ...) _printf_(3, 4);

pid_t child_pid(const struct child *c);

#endif
