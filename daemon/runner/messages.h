/*
 * Reads a worker's messages (proto/worker.proto) and checks their order: first one Hello with the attempt's nonce, then
 * stages, progress and heartbeats, last one Result or Failure. A worker is not trusted: lengths and counts are bounded,
 * and texts are cleaned of control characters before anybody sees them.
 */
#ifndef RUNNER_MESSAGES_H
#define RUNNER_MESSAGES_H

#include "base/buf.h"
#include "child.h"

struct messages {
	const char *nonce;           /* of the attempt; borrowed */
	const struct child_ops *ops; /* told about stages and progress; borrowed */
	void *arg;                   /* of `ops` */
	struct buf frames;           /* bytes read from the worker that are not yet a whole frame */
	bool hello;                  /* the worker has introduced itself */
	Colconv__FromWorker *last;   /* its Result or Failure; NULL until then */
};

/* Handles every whole message in `frames`. Returns their number, or E_WORKER_PROTOCOL. */
int messages_take(struct messages *m, struct err *e);

void messages_release(struct messages *m);

#endif
