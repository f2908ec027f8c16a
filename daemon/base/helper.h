/*
 * Runs another of our programs to its end; its progress is lines on its stdout. When it fails, the last
 * line on its stderr is "PROGRAM: REASON: MESSAGE", where REASON is a wire name of errors.def; this becomes
 * the error here.
 *
 *	helper_init ; helper_arg ... ; helper_run ; helper_release
 */
#ifndef BASE_HELPER_H
#define BASE_HELPER_H

#include <sys/types.h>

#include "err.h"

struct helper {
	const char *program; /* beside the running executable: "colconv-parity" */
	const int *keep;     /* descriptors that it inherits with the same numbers */
	size_t n_keep;
	void (*line)(void *arg, char *line);   /* a line of its stdout, without the newline; may be NULL */
	void (*started)(void *arg, pid_t pid); /* 0: it has ended; may be NULL */
	void *arg;                             /* of both */
	bool repeat;                           /* when it fails, copy its stderr to ours */
	/* its command line */
	char **item;
	size_t n, cap;
	bool failed;
};

/* The caller then sets the other members that it needs. */
void helper_init(struct helper *h, const char *program);
void helper_release(struct helper *h);

void helper_arg(struct helper *h, const char *fmt, ...) _printf_(2, 3);

int helper_run(struct helper *h, struct err *e);

#endif
