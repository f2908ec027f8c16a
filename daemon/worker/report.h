/*
 * What a worker tells whoever started it: frames of proto/worker.proto on stdout.
 *
 * A thread of its own watches the anonymous memory of this process and of the child it is told of, and
 * sends heartbeats in a long silence; but only while the work gives signs of life (base/pulse.h), so
 * that whoever started us sees a worker that hangs.
 */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include <sys/types.h>

#include "base/err.h"
#include "worker.pb-c.h"

struct report;

int report_new(const char *nonce, struct report **ret, struct err *e); /* says hello */
void report_free(struct report **r);

void report_stage(struct report *r, const char *name); /* a literal; ends the stage before it */

/* Sent at most 10 times a second, and always when done is total. */
void report_progress(struct report *r, uint64_t done, uint64_t total, const char *unit, const char *detail);

void report_child(struct report *r, pid_t pid); /* 0: none */

/* The last message. The result's usage is filled in here. */
void report_result(struct report *r, Colconv__Result *result);
void report_failure(struct report *r, const struct err *e);

#endif
