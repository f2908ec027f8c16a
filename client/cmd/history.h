/* The numbered events of a job (/v1/jobs/ID/history), each once, as far as they are there or as they come. */
#ifndef CLIENT_HISTORY_H
#define CLIENT_HISTORY_H

#include "cli.h"

/* An event, with "id", "at", "event", "data"; NULL once after all that were there. 0 to go on, or an error. */
typedef int history_fn(void *ctx, const json_t *event, struct err *e);

/* All there are; with `live` also those to come, until the job has ended and through losses of the daemon. */
int history_run(struct cli *c, uint64_t id, bool live, history_fn *fn, void *ctx, struct err *e);

#endif
