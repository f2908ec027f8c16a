/*
 * Parses the command line by a table, and prints --help from the same rows.
 *
 * Options are --name VALUE, --name=VALUE, -n VALUE and -nVALUE. Options and operands may be mixed; "--" ends
 * the options.
 */
#ifndef CLIENT_OPTION_H
#define CLIENT_OPTION_H

#include <stdio.h>

#include "base/err.h"

struct option_row;

/* Stores the value where o->ret points. `value` is NULL for a flag. */
typedef int option_fn(const struct option_row *o, const char *value, struct err *e);

struct option_row {
	const char *name;  /* without "--"; NULL ends a table */
	char letter;       /* 0: none */
	const char *value; /* what the help calls its value; NULL: it is a flag and takes none */
	option_fn *set;
	void *ret;       /* has the type that `set` stores */
	const char *key; /* the field that an option of a job sets */
	const char *help;
};

/* clang-format off */
#define OPTION_END { .name = NULL }
/* clang-format on */

option_fn option_flag;    /* bool */
option_fn option_str;     /* const char *, borrowed from argv */
option_fn option_number;  /* uint64_t */
option_fn option_seconds; /* uint64_t, of "90", "5m", "2h", "30d" */
option_fn option_bytes;   /* uint64_t, of "500MB", "2GiB" */

enum option_order {
	OPTION_MIXED,   /* operands are moved to the front of argv */
	OPTION_LEADING, /* stop at the first operand */
};

/*
 * Parses `argv`, which begins after the program's name. On success *argc counts the operands, in their order;
 * with OPTION_LEADING, also all words after the first operand.
 */
int option_parse(const struct option_row *rows, enum option_order order, int *argc, char **argv,
		 struct err *e);

void option_help(const struct option_row *rows, FILE *f);

/*
 * Prints "  LEFT   words ...", with the words in a column that fits the terminal; with column 0, only the
 * words.
 */
void option_help_line(FILE *f, const char *left, int column, const char *words);

#endif
