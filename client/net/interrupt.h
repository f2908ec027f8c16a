/* Makes Ctrl-C a descriptor to poll. Between open and close, these signals do not end the program by themselves. */
#ifndef CLIENT_INTERRUPT_H
#define CLIENT_INTERRUPT_H

#include <signal.h>

#include "base/err.h"

struct interrupt {
	int fd; /* readable when a signal came; -1: closed */
	sigset_t before;
};

/* clang-format off */
#define INTERRUPT_INIT { .fd = -1 }
/* clang-format on */

enum interrupt_by {
	INTERRUPT_CTRL_C, /* SIGINT; the others end the program, which leaves nothing behind */
	INTERRUPT_EVERY,  /* SIGTERM and SIGHUP too: a program of ours runs, or files must be removed */
};

int interrupt_open(struct interrupt *i, enum interrupt_by by, struct err *e);
void interrupt_close(struct interrupt *i);

/* Consumes one signal, so that the next one can be waited for. False when none came. */
bool interrupt_take(const struct interrupt *i);

#endif
