/*
 * What the two programs that use ONNX Runtime, colconv-parity and colconv-embed, share: the options for the library, its
 * threads and the output, and the last line on stderr, from which the program that started them reads the error.
 *
 *	program_init ; program_take for each option that is not the program's own ; program_end
 */
#ifndef PARITY_PROGRAM_H
#define PARITY_PROGRAM_H

#include <getopt.h>

#include "base/err.h"

struct program {
	const char *name; /* "colconv-embed" */
	const char *help;
	const char *output;  /* NULL: the standard output */
	const char *runtime; /* NULL: the usual places */
	int threads;
	bool progress; /* print a line when an item is done */
};

enum program_opt {
	PROGRAM_OUTPUT = 2000,
	PROGRAM_RUNTIME,
	PROGRAM_THREADS,
	PROGRAM_PROGRESS,
	PROGRAM_HELP,
	PROGRAM_VERSION
};

/* Rows for the `options` of getopt_long(). */
/* clang-format off */
#define PROGRAM_OPTIONS                                                 \
	{"output", required_argument, NULL, PROGRAM_OUTPUT},            \
	{"runtime", required_argument, NULL, PROGRAM_RUNTIME},          \
	{"threads", required_argument, NULL, PROGRAM_THREADS},          \
	{"progress", no_argument, NULL, PROGRAM_PROGRESS},              \
	{"help", no_argument, NULL, PROGRAM_HELP},                      \
	{"version", no_argument, NULL, PROGRAM_VERSION}
/* clang-format on */

void program_init(struct program *p, const char *name, const char *help);

/* Takes an option of PROGRAM_OPTIONS. For any other value of getopt_long(), an error that names the option. */
int program_take(struct program *p, int opt, char *const *argv, struct err *e);

/* Closes ONNX Runtime, prints the error if r is one, and returns the exit status. */
int program_end(int r, const struct err *e);

#endif
