/*
 * Progress on a terminal: a board is its last lines, redrawn in place, a line for each bar
 * that has something to show; what is over leaves a line behind above them. Elsewhere (a
 * pipe, TERM=dumb) each stage is one line. Strings may come from outside.
 */
#ifndef CLIENT_BAR_H
#define CLIENT_BAR_H

#include <stdio.h>
#include <sys/queue.h>

#include "base/buf.h"

struct board {
	FILE *out;
	bool live; /* a terminal that can redraw lines */
	bool color;
	bool named; /* each line begins with its bar's prefix */
	int label;  /* columns of a stage's name */
	TAILQ_HEAD(, bar) bars;
	size_t lines; /* drawn now */
	int64_t drawn_ms;
	bool stale; /* something was told since, too soon to be drawn */
};

struct bar {
	struct board *board;
	TAILQ_ENTRY(bar) entry;
	char prefix[32]; /* of lines of words: "job 42" */
	char stage[32];  /* empty: between stages */
	char status[64]; /* what to show between stages; empty: nothing */
	char unit[16];
	char detail[64];
	bool known;           /* the stage has told its progress */
	uint64_t done, total; /* in units; total 0: not known */
	double rate;          /* units a second, smoothed; 0: not known yet */
	int64_t begun_ms;
	uint64_t rated_done; /* what `done` was when the rate was last updated */
	int64_t rated_ms;    /* and when that was */
};

/* How `out` and the environment (TERM, NO_COLOR) want it. */
void board_init(struct board *d, FILE *out);

/*
 * Draws what was told too soon after the last time. When that is yet to come, *ret_ms becomes that time if it was
 * later, or 0.
 */
void board_refresh(struct board *d, int64_t now_ms, int64_t *ret_ms);

/* In the caller's storage, and on the board until bar_release(), which leaves the board to the others. */
void bar_init(struct bar *b, struct board *d, const char *prefix);
void bar_release(struct bar *b);

/* A stage begins, and the one before it ends. */
void bar_stage(struct bar *b, const char *stage, int64_t now_ms);

void bar_progress(struct bar *b, uint64_t done, uint64_t total, const char *unit, const char *detail,
		  int64_t now_ms);

/* A line of words: above the board, or in the row of lines. */
void bar_note(struct bar *b, const char *fmt, ...) _printf_(2, 3);

/* Words in the bar's own line until a stage begins, on a live board of several. */
void bar_status(struct bar *b, const char *words);

/* The last stage ends, and leaves a line behind on a terminal. */
void bar_end(struct bar *b, int64_t now_ms);

/* The stage is broken off and leaves nothing behind. */
void bar_drop(struct bar *b);

/* The line as it is drawn, `width` columns at most, without colours. */
void bar_format(const struct bar *b, unsigned width, struct buf *ret);

#endif
