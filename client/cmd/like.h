/* Takes the options of an earlier job, for 'submit --like ID'. */
#ifndef CLIENT_LIKE_H
#define CLIENT_LIKE_H

#include "cli.h"

/*
 * The JSON of a job with the options of job `id`. Options that have their default are left out, so that they
 * follow an option that is changed: with another dtype, the limits of the parity check are those of that dtype.
 */
int like_read(struct cli *c, uint64_t id, json_t **ret, struct err *e);

#endif
