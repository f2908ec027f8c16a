/* A listening socket: on ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH, or inherited from systemd. */
#ifndef HTTP_CORE_LISTEN_H
#define HTTP_CORE_LISTEN_H

#include <sys/socket.h>

#include "base/loop.h"

struct listener;

/* Gets a new connection, and owns its descriptor. */
typedef void (*listener_fn)(void *arg, int fd, const struct sockaddr *addr, socklen_t len);

/*
 * Port 0 takes a free port. E_USAGE for text that is not an address. Makes a missing folder of the socket
 * file. Replaces the socket file of a dead process; that of a live process is an error (E_IO).
 */
int listener_new(struct loop *l, const char *address, listener_fn fn, void *arg, struct listener **ret,
		 struct err *e);

/* For a socket from systemd. `fd` is taken, also on failure. */
int listener_adopt_take(struct loop *l, int fd, listener_fn fn, void *arg, struct listener **ret,
			struct err *e);
void listener_free(struct listener **l);

uint16_t listener_port(const struct listener *l); /* 0 for unix: */
bool listener_public(const struct listener *l);   /* other hosts reach it */

/* Only checks the address. */
int listener_check(const char *address, bool *ret_public, struct err *e);

#endif
