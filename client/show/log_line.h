/* Lines of a worker's log: "<6>words", where the digit is syslog's level. */
#ifndef CLIENT_LOG_LINE_H
#define CLIENT_LOG_LINE_H

#include <stdbool.h>

/* The words without the level, for a warning or worse, or for any line when `all`; else NULL. */
const char *log_line_words(const char *line, bool all);

#endif
