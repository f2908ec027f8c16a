/*
 * Options of the command line as rows of a table: parsing and --help read the same rows.
 *
 *	--name VALUE, --name=VALUE, -n VALUE, -nVALUE; options and operands mix; "--" ends the options
 */
#ifndef CLIENT_OPTION_H
#define CLIENT_OPTION_H

#include <stdio.h>

#include "base/err.h"

struct option_row;

/* Puts the value where o->ret points. `value` is NULL for a flag. */
typedef int option_fn(const struct option_row *o, const char *value, struct err *e);

struct option_row {
	const char *name;  /* without "--"; NULL ends a table */
	char letter;       /* 0: none */
	const char *value; /* what the help calls its value; NULL: it is a flag and takes none */
	option_fn *set;
	void *ret;       /* of the type that `set` wants */
	const char *key; /* of the options of a job: the field it sets */
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
	OPTION_MIXED,   /* operands are gathered at the front of argv */
	OPTION_LEADING, /* stop at the first operand */
};

/*
 * Parses `argv`, which does not hold the program's name. On success *argc counts what is
 * left: the operands in their order (and with OPTION_LEADING whatever follows the first).
 */
int option_parse(const struct option_row *rows, enum option_order order, int *argc, char **argv,
		 struct err *e);

void option_help(const struct option_row *rows, FILE *f);

/* "  LEFT   words ...", the words in a column of their own that fits the terminal; column 0: words alone. */
void option_help_line(FILE *f, const char *left, int column, const char *words);

#endif
