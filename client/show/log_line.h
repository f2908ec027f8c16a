/* Lines of a worker's log: "<6>words", where the digit is syslog's level. */
#ifndef CLIENT_LOG_LINE_H
#define CLIENT_LOG_LINE_H

#include "base/util.h"

/* The words without the level, for a warning or worse, or for any line when `all`; else NULL. */
const char *log_line_words(const char *line, bool all);

/*
 * A worker logs why it fails, and then says it in its result: the last error is held back until it is known whether the
 * result says the same. NULL: nothing is held.
 */
struct log_held {
	char *words;
};

/* Takes a line: *ret, the caller's, are the words to show now, NULL for none. An error is held, and gives back the one before. */
void log_held_line(struct log_held *h, const char *line, bool all, char **ret);

/* What is still held, the caller's, unless `message` is the same; NULL for nothing. */
char *log_held_end(struct log_held *h, const char *message);

#endif
