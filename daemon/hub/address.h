/* Which addresses are of the public Internet: what a checkpoint's host may make us connect to. */
#ifndef HUB_ADDRESS_H
#define HUB_ADDRESS_H

#include <sys/socket.h>

#include "base/util.h"

bool address_is_public(const struct sockaddr *sa);

/* The host is an address, and not a public one. */
bool address_is_private_literal(const char *host);

/* It is that of the proxy ("http://HOST:PORT", as in the environment). */
bool address_is_of_proxy(const struct sockaddr *sa, const char *proxy);

#endif
