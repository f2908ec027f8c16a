/*
 * Removes artifacts and jobs that exceed the limits (queue/retention.h) and empties trash/, in small steps so that
 * requests are not delayed. Recreates the reserve when the disk has room again (queue/reserve.h).
 */
#ifndef SERVICE_KEEPER_H
#define SERVICE_KEEPER_H

#include "base/loop.h"
#include "queue/retention.h"

struct keeper;

/* All borrowed. */
struct keeper_spec {
	struct loop *loop;
	struct store *store;
	const char *state_dir;
	void (*removed)(void *arg, const struct removal *what);
	void (*failed)(void *arg, const struct err *why); /* an error of the queue or the disk */
	void *arg;
};

int keeper_new(const struct keeper_spec *spec, struct keeper **ret, struct err *e);
void keeper_free(struct keeper **k);

/* Set the limits; they are applied soon, then every minute. */
void keeper_set(struct keeper *k, const struct retention *keep);

/* Call after an artifact or ended job was added: applies the limits soon. */
void keeper_kick(struct keeper *k);

/* Call after something was moved to trash/. */
void keeper_empty(struct keeper *k);

#endif
