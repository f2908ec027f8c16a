/* Running one worker without a daemon (proto/worker.proto). */
#ifndef CLIENT_WORKER_H
#define CLIENT_WORKER_H

#include "spec/spec.h"
#include "client/net/interrupt.h"
#include "client/show/bar.h"

struct worker_options {
	const char *program;
	const char *out_dir; /* absolute, empty */
	const struct interrupt *stop;
	struct bar *bar;
	bool log; /* show all of its lines, not only warnings */
};

/*
 * 0 and *ret, the result as in a job's document with its stages; 1 when the worker said why
 * it failed, which *e then holds; or an error, E_CANCELLED after an interrupt. Nothing of
 * the worker's process group is left in any case.
 */
int worker_run(const struct worker_options *o, const struct spec *spec, json_t **ret, struct err *e);

#endif
