/* What the daemon does once, before it serves. Each says in the log what it found. */
#ifndef SERVICE_START_H
#define SERVICE_START_H

#include "http/core/server.h"
#include "queue/store.h"
#include "settings.h"

/* Raises the limit of descriptors for connections, their files and workers. Returns how many connections it allows, at most connections_max. */
unsigned start_descriptors(const struct conf *c);

/* Opens the queue and ends what a dead daemon's workers left. *ret may be set on failure: to be closed. */
int start_queue(struct settings *settings, struct loop *loop, struct store **ret, struct err *e);

/* Recovers (queue/recover.h), with the room of the reserve on a full disk. After E_NO_SPACE it may be called again. */
int start_recovery(const struct conf *c, struct store *store, struct err *e);

/* The sockets that systemd passed, else those of the setting `listen`; then the port file. */
int start_listening(struct server *s, const struct conf *c, struct err *e);

#endif
