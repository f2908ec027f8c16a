/*
 * Shows progress on a terminal: the board is its last lines, one for each running bar, redrawn in place. A
 * finished stage leaves a line that stays above them. Without a terminal (a pipe, TERM=dumb), each stage is
 * one line, and one with its progress every 30 s. Strings may come from outside.
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
	bool stale; /* something changed too soon after the last drawing */
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
	int64_t told_ms;     /* without a terminal: when the last line about the stage was printed */
	uint64_t rated_done; /* what `done` was when the rate was last updated */
	int64_t rated_ms;    /* and when that was */
};

/* Chooses the way of drawing by `out` and the environment (TERM, NO_COLOR). */
void board_init(struct board *d, FILE *out);

/*
 * Draws changes that came too soon after the last drawing; without a terminal, prints the progress lines that
 * are due. Lowers *ret_ms (0: none) to the time of the next drawing or line.
 */
void board_refresh(struct board *d, int64_t now_ms, int64_t *ret_ms);

/* Adds a bar, in the caller's storage, to the board. bar_release() removes it; the other bars stay. */
void bar_init(struct bar *b, struct board *d, const char *prefix);
void bar_release(struct bar *b);

/* Begins a stage, and ends the one before it. */
void bar_stage(struct bar *b, const char *stage, int64_t now_ms);

void bar_progress(struct bar *b, uint64_t done, uint64_t total, const char *unit, const char *detail,
		  int64_t now_ms);

/* Prints a line of words, above the board if there is one. */
void bar_note(struct bar *b, const char *fmt, ...) _printf_(2, 3);

/* Shows words in the bar's own line until a stage begins; only on a live board with several bars. */
void bar_status(struct bar *b, const char *words);

/* Ends the last stage; on a terminal it leaves a line. */
void bar_end(struct bar *b, int64_t now_ms);

/* Drops the stage without leaving a line. */
void bar_drop(struct bar *b);

/* The bar's line as it is drawn: at most `width` columns, without colours. */
void bar_format(const struct bar *b, unsigned width, struct buf *ret);

#endif
