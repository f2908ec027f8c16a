/* Reads the level of a worker's log line: in "<6>words" the digit is syslog's level. */
#ifndef CLIENT_LOG_LINE_H
#define CLIENT_LOG_LINE_H

#include "base/util.h"

/* The line without its level, when it is a warning or worse or when `all`; NULL for other lines. */
const char *log_line_words(const char *line, bool all);

/*
 * Avoids telling a failure twice. A worker logs why it fails, and reports the same in its result. So the last
 * error line is held until the result is known. `words` is NULL when nothing is held.
 */
struct log_held {
	char *words;
};

/*
 * Takes a line. *ret, for the caller to free, are the words to show now, or NULL. An error line is held, and
 * the one held before is returned.
 */
void log_held_line(struct log_held *h, const char *line, bool all, char **ret);

/* The held words, for the caller to free; NULL when nothing is held, or when `message` says the same. */
char *log_held_end(struct log_held *h, const char *message);

#endif
