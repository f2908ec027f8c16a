/*
 * The progress of a job's stages. On a terminal one line is redrawn in place and a
 * finished stage leaves a line behind; elsewhere (a pipe, TERM=dumb) each stage is one line.
 * Strings may come from outside.
 */
#ifndef CLIENT_BAR_H
#define CLIENT_BAR_H

#include <stdio.h>

#include "base/buf.h"

struct bar {
	FILE *out;
	bool live;         /* a terminal that can redraw a line */
	bool color;
	char prefix[32];   /* of lines of words: "job 42" */
	char stage[32];    /* empty: between stages */
	char unit[16];
	char detail[64];
	bool known;        /* the stage has told its progress */
	uint64_t done, total; /* in units; total 0: not known */
	double rate;       /* units a second, smoothed; 0: not known yet */
	int64_t begun_ms;
	int64_t told_ms;   /* when `done` was told last */
	int64_t drawn_ms;
};

/* How `out` and the environment (TERM, NO_COLOR) want it. */
void bar_init(struct bar *b, FILE *out, const char *prefix);

/* A stage begins, and the one before it ends. */
void bar_stage(struct bar *b, const char *stage, int64_t now_ms);

void bar_progress(struct bar *b, uint64_t done, uint64_t total, const char *unit, const char *detail,
		  int64_t now_ms);

/* A line of words: above the bar, or in the row of lines. */
void bar_note(struct bar *b, const char *fmt, ...) _printf_(2, 3);

/* The last stage ends; what follows begins on a line of its own. */
void bar_end(struct bar *b, int64_t now_ms);

/* The line as it is drawn, `width` columns at most, without colours. */
void bar_format(const struct bar *b, unsigned width, struct buf *ret);

#endif
