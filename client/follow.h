/* Following a job by its events until it ends, through losses of the daemon. */
#ifndef CLIENT_FOLLOW_H
#define CLIENT_FOLLOW_H

#include "cli.h"

struct follow_options {
	uint64_t timeout_s; /* give up after so long; 0: never */
	bool log;           /* show all of the worker's lines, not only its warnings */
	bool events;        /* print every event on stdout, one JSON object a line, and draw nothing */
};

/* Rows for a command's table of options. */
#define FOLLOW_OPTIONS(o)                                                                                    \
	{"timeout", 't', "SECONDS", option_number, &(o)->timeout_s, NULL,                                    \
	 "give up waiting after so long; the job goes on"},                                                  \
	{"log", 0, NULL, option_flag, &(o)->log, NULL, "show all lines of the worker's log"}

/* 0: it has ended, and *ret is its last document; 1: Ctrl-C, after telling how to come back. */
int follow(struct cli *c, uint64_t id, const struct follow_options *o, json_t **ret, struct err *e);

/* The words of a line of a worker's log ("<6>words"); NULL when it is no warning and not `all` are wanted. */
const char *follow_log(const char *line, bool all);

#endif
