/*
 * Sends a worker's messages to the program that started it: frames of proto/worker.proto on stdout.
 *
 * A separate thread measures the anonymous memory of this process and of its child, and sends heartbeats during a
 * long silence. It stops sending them when the work gives no sign of life (base/pulse.h), so that a worker that hangs
 * is noticed.
 */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include <sys/types.h>

#include "base/err.h"
#include "worker.pb-c.h"

struct report;

int report_new(const char *nonce, struct report **ret, struct err *e); /* sends Hello */
void report_free(struct report **r);

void report_stage(struct report *r, const char *name); /* `name` is a literal; ends the stage before */

/* Sends at most 10 messages per second, and always the one with done == total. */
void report_progress(struct report *r, uint64_t done, uint64_t total, const char *unit, const char *detail);

void report_child(struct report *r, pid_t pid); /* 0: the child has ended */

/* Send the last message. report_result() fills in the usage. */
void report_result(struct report *r, Colconv__Result *result);
void report_failure(struct report *r, const struct err *e);

#endif
