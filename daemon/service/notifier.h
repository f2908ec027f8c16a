/*
 * Runs the operator's command (the setting `notify`) whenever a job ends, with the job's JSON on its standard input.
 *
 * One command runs at a time and for a limited time, so a slow one delays the next notices and nothing else. The queue of
 * notices is the queue's own events: STATE/notified holds the number of the last one that was told. A daemon that is
 * killed meanwhile runs the command again at its next start, so each end is told at least once.
 */
#ifndef SERVICE_NOTIFIER_H
#define SERVICE_NOTIFIER_H

#include "base/loop.h"
#include "queue/store.h"
#include "runner/runner.h"

struct notifier;

/* All borrowed. */
struct notifier_spec {
	struct loop *loop;
	struct store *store;
	struct runners *runners; /* which must leave the command for us to wait for */
	const char *state_dir;
	const char *command; /* words with spaces between them; "": none */
	int64_t limit_ms;
	void (*failed)(void *arg, const struct err *why); /* an error of the queue or the disk */
	void *arg;
};

int notifier_new(const struct notifier_spec *spec, struct notifier **ret, struct err *e);
void notifier_free(struct notifier **n); /* kills the command */

/* Set new values after a reload. The loop, the store and the runners must stay the same. */
void notifier_set_spec(struct notifier *n, const struct notifier_spec *spec);

/* Call after a job ended: looks for ends that are not yet told, soon. */
void notifier_kick(struct notifier *n);

#endif
