/* A listening socket: ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH, or one that we were started with. */
#ifndef HTTP_CORE_LISTEN_H
#define HTTP_CORE_LISTEN_H

#include <sys/socket.h>

#include "base/loop.h"

struct listener;

/* Owns the connection from here on. */
typedef void (*listener_fn)(void *arg, int fd, const struct sockaddr *addr, socklen_t len);

/*
 * Port 0: a free one. E_USAGE for what is no address. The socket of a dead process is replaced,
 * that of a live one is E_IO; its folder is made when it is missing.
 */
int listener_new(struct loop *l, const char *address, listener_fn fn, void *arg, struct listener **ret,
		 struct err *e);

/* A socket of systemd's: `fd` is taken, also on failure. */
int listener_adopt_take(struct loop *l, int fd, listener_fn fn, void *arg, struct listener **ret,
			struct err *e);
void listener_free(struct listener **l);

uint16_t listener_port(const struct listener *l); /* 0 for unix: */
bool listener_public(const struct listener *l);   /* other hosts reach it */

/* The checks of an address alone. */
int listener_check(const char *address, bool *ret_public, struct err *e);

#endif
