/*
 * One line on stderr per event, level first as the journal reads it, then keys, then words:
 *
 *	<6>job=42 try=1 phase=trace layer 12 of 28
 *
 * Only the mains log; libraries return errors. Strings from outside go in 'ticks'.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "err.h"

enum log_level {
	LOG_LEVEL_ERR = 3,     /* somebody must act */
	LOG_LEVEL_WARNING = 4, /* survived */
	LOG_LEVEL_NOTICE = 5,  /* rare and normal */
	LOG_LEVEL_INFO = 6,    /* one line per state change */
	LOG_LEVEL_DEBUG = 7,   /* the rest */
};

/* Lines above `max` are dropped. On a terminal the "<6>" prefix is left out. */
void log_setup(enum log_level max);

/* Level from its name: "err", "warning", "notice", "info", "debug". */
int log_level_from_str(const char *name, enum log_level *ret, struct err *e);

void log_line(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_err(...) log_line(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
