/*
 * Tells public Internet addresses from others: a checkpoint's host may only make us connect to public ones.
 */
#ifndef HUB_ADDRESS_H
#define HUB_ADDRESS_H

#include <sys/socket.h>

#include "base/util.h"

bool address_is_public(const struct sockaddr *sa);

/* True when the host is an IP address and not a public one. */
bool address_is_private_literal(const char *host);

/* True when it is the proxy's ("http://HOST:PORT", as in the environment). */
bool address_is_of_proxy(const struct sockaddr *sa, const char *proxy);

#endif
