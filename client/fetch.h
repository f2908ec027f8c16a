/*
 * Downloading a job's artifact. A file is FOLDER/NAME.partial until it is whole and has the
 * size and hash of the daemon's list; what a broken download left is gone on with.
 */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

#include "cli.h"

/* The files that `names` (an array of strings; NULL: all) asks for. *ret is their rows of the daemon's list. */
int fetch_files(struct cli *c, uint64_t id, const char *dir, const json_t *names, json_t **ret,
		struct err *e);

#endif
