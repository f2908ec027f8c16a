/*
 * One line on stderr per event: level, then keys, then words. A program that reads the line gets the level as a
 * number, a person gets it as a word:
 *
 *	<3>job=42 the disk is full          in the journal, and from a worker to its parent
 *	error: job=42 the disk is full      on a terminal, in a file or a pipe
 *
 * Only main programs log; libraries return errors. Strings from outside go in 'ticks'.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "err.h"

enum log_level {
	LOG_LEVEL_ERR = 3,     /* an operator must act */
	LOG_LEVEL_WARNING = 4, /* handled, but look at it */
	LOG_LEVEL_NOTICE = 5,  /* rare and normal */
	LOG_LEVEL_INFO = 6,    /* one line per state change */
	LOG_LEVEL_DEBUG = 7,   /* the rest */
};

/* Drops lines above `max`. Numbers the lines when stderr is the journal (systemd's JOURNAL_STREAM). */
void log_setup(enum log_level max);

/* Numbers the lines from now on: the parent of this process reads their levels. */
void log_set_numbered(void);

/* Level from its name: "err", "warning", "notice", "info", "debug". */
int log_level_from_str(const char *name, enum log_level *ret, struct err *e);

void log_line(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_err(...) log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
