/* Asks a person before something is removed for good. */
#ifndef CLIENT_CONFIRM_H
#define CLIENT_CONFIRM_H

#include "option.h"

/* clang-format off */
#define CONFIRM_OPTION(yes)                                                                                  \
	{"yes", 'y', NULL, option_flag, (yes), NULL, "do not ask on a terminal"}
/* clang-format on */

/* True when the command was typed on a terminal, so that somebody can answer. Scripts and pipes are not asked. */
bool confirm_can(void);

/* Prints "QUESTION? [y/N] " and waits for the answer. Anything but y or yes is a no. */
bool confirm_ask(const char *fmt, ...) _printf_(1, 2);

#endif
