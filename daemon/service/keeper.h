/*
 * Removes artifacts and jobs beyond the limits (queue/retention.h) and empties trash/, a bit in each turn of the loop,
 * which has others to serve. Makes the reserve again once the disk has room for it (queue/reserve.h).
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

/* From now on these limits; they are looked at soon, then every minute. */
void keeper_set(struct keeper *k, const struct retention *keep);

/* There is one more: look at the limits soon. */
void keeper_kick(struct keeper *k);

/* There is something in trash/. */
void keeper_empty(struct keeper *k);

#endif
