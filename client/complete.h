/*
 * Completion of command lines for shells: 'colconvctl complete WORD...' prints what the last word may become,
 * a line each, "WORD TAB DESCRIPTION". Commands and options are those of the program's own tables, ids of jobs are
 * asked of the daemon. A line "TAB files" or "TAB dirs" asks the shell for names of its own.
 */
#ifndef CLIENT_COMPLETE_H
#define CLIENT_COMPLETE_H

#include "cli.h"

struct completion {
	const char *word; /* to be completed, maybe empty */
};

/* Prints what the word after these `argc` may become: a command, when c->command is NULL. */
void complete_command(struct cli *c, const struct option_row *rows, int argc, char **argv);

#endif
