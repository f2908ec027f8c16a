/*
 * Reads the numbered events of a job (/v1/jobs/ID/history), each once: the old ones, and on request the new
 * ones.
 */
#ifndef CLIENT_HISTORY_H
#define CLIENT_HISTORY_H

#include "cli.h"

/*
 * Called for each event, with "id", "at", "event" and "data", and once with NULL after the old events.
 * Returns 0 to continue, or an error.
 */
typedef int history_fn(void *ctx, const json_t *event, struct err *e);

/*
 * Reads the old events. With `live`, also reads new ones until the job has ended, and reconnects when the
 * daemon goes away.
 */
int history_run(struct cli *c, uint64_t id, bool live, history_fn *fn, void *ctx, struct err *e);

#endif
