/*
 * Downloads a job's artifact, several files at once. A file is named FOLDER/NAME.partial until it is complete
 * and has the size and hash of the daemon's list. A later download continues partial files.
 */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

#include "cli.h"

#define FETCH_PARALLEL 4
#define FETCH_PARALLEL_MAX 16

struct fetch_options {
	const char *dir;
	const json_t *names; /* an array of strings; NULL: all files */
	uint64_t parallel;   /* files at once */
};

/* clang-format off */
#define FETCH_INIT {.parallel = FETCH_PARALLEL}
#define FETCH_OPTIONS(o)                                                                                     \
	{"parallel", 0, "N", option_number, &(o)->parallel, NULL, "download N files at once (4)"}
/* clang-format on */

/*
 * *ret are the rows of the daemon's list for the files. Ctrl-C is E_CANCELLED, after a message that says how
 * to continue.
 */
int fetch_files(struct cli *c, uint64_t id, const struct fetch_options *o, json_t **ret, struct err *e);

#endif
