/* Follows jobs by their events until they end, several at once, and reconnects when the daemon goes away. */
#ifndef CLIENT_FOLLOW_H
#define CLIENT_FOLLOW_H

#include "cli.h"

#define FOLLOW_MAX 64 /* jobs: each has a stream of its own */

struct follow_options {
	uint64_t timeout_s;  /* give up after so long; 0: never */
	bool log;            /* show all of the worker's lines, not only its warnings */
	bool events;         /* print every event on stdout, one JSON object a line, and draw nothing */
	bool quiet;          /* print only jobs that did not succeed */
	const char *command; /* the command to come back with: "watch" */
	const char *done;    /* words for a done job, with "{id}" for its id; NULL: only "done" */
};

/* Rows of a command's option table. */
/* clang-format off */
#define FOLLOW_TIMEOUT(o)                                                                                    \
	{"timeout", 't', "TIME", option_seconds, &(o)->timeout_s, NULL,                                      \
	 "give up waiting after so long (90, 5m, 2h); the job continues"}
#define FOLLOW_OPTIONS(o)                                                                                    \
	FOLLOW_TIMEOUT(o),                                                                                   \
	{"log", 0, NULL, option_flag, &(o)->log, NULL, "show all lines of the worker's log"}
/* clang-format on */

/*
 * Returns 0 when all jobs have ended, after printing how. Their last documents are appended to `ret`, an
 * array, in the order of `ids`. Returns 1 after Ctrl-C and a message that says how to come back.
 */
int follow(struct cli *c, const struct follow_options *o, const uint64_t *ids, size_t n, json_t *ret,
	   struct err *e);

#endif
