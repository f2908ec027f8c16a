/*
 * Splits a worker's stderr into log lines. Long lines are cut, and lines above a rate are dropped and counted in a
 * notice, so that a worker gone wrong cannot fill the memory or the log.
 */
#ifndef RUNNER_LINES_H
#define RUNNER_LINES_H

#include "base/err.h"

#define LINES_LEN_MAX 1000
#define LINES_PER_SECOND 100

typedef void (*lines_fn)(void *arg, const char *line);

struct lines {
	char text[LINES_LEN_MAX + 1]; /* of the line that is being read; the last one after lines_end() */
	size_t len;
	int64_t second;  /* in which... */
	unsigned passed; /* ...so many lines were passed on */
	uint64_t dropped;
};

/* `line` is clean UTF-8, without its newline; empty lines are left out. */
void lines_add(struct lines *l, const char *data, size_t len, int64_t now_ms, lines_fn fn, void *arg);

/* Pass on the last line without a newline, and the notice about dropped lines if one is due. */
void lines_end(struct lines *l, int64_t now_ms, lines_fn fn, void *arg);

#endif
