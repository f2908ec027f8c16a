/* The steps of the daemon's start. Each logs its findings. */
#ifndef SERVICE_START_H
#define SERVICE_START_H

#include "http/core/server.h"
#include "queue/store.h"
#include "settings.h"

/* Raises the limit of descriptors for connections, their files and workers. Returns how many connections it allows, at most connections_max. */
unsigned start_descriptors(const struct conf *c);

/* Open the queue and kill the workers of a dead daemon. On failure *ret may be set; close it. */
int start_queue(struct settings *settings, struct loop *loop, struct store **ret, struct err *e);

/* Recover the queue (queue/recover.h); deletes the reserve if the disk is full. After E_NO_SPACE call it again later. */
int start_recovery(const struct conf *c, struct store *store, struct err *e);

/* Listen on the sockets that systemd passed, else on those of the setting `listen`; then write the port file. */
int start_listening(struct server *s, const struct conf *c, struct err *e);

#endif
