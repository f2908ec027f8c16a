/* Runs one worker without a daemon (proto/worker.proto). */
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
	bool cases_only; /* make parity cases in out_dir/.cases, and nothing else */
	bool log;        /* show all of its lines, not only warnings */
};

/*
 * Returns 0 and *ret, the result as in a job's document with its stages; 1 when the worker reported a
 * failure, which *e then holds; or an error, E_CANCELLED after Ctrl-C. In every case the worker's whole
 * process group has ended.
 */
int worker_run(const struct worker_options *o, const struct spec *spec, json_t **ret, struct err *e);

#endif
