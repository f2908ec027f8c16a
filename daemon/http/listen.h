/* A listening socket: 127.0.0.1:PORT, [::1]:PORT or unix:PATH. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <sys/socket.h>

#include "base/loop.h"

struct listener;

/* Owns the connection from here on. */
typedef void (*listener_fn)(void *arg, int fd, const struct sockaddr *addr, socklen_t len);

/*
 * Port 0: a free one. E_USAGE for what is no address, E_NOT_ALLOWED for an address that other
 * hosts reach. The socket of a dead process is replaced, that of a live one is E_IO.
 */
int listener_new(struct loop *l, const char *address, listener_fn fn, void *arg, struct listener **ret,
		 struct err *e);
void listener_free(struct listener **l);

uint16_t listener_port(const struct listener *l); /* 0 for unix: */

/* The checks of an address alone. */
int listener_check(const char *address, struct err *e);

#endif
