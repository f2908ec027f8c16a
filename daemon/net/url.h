/* URLs, by libcurl's own parser: what is checked here is what will be connected to. */
#ifndef HUB_URL_H
#define HUB_URL_H

#include "base/err.h"

/* http or https, a host, maybe a port and a path: no user, no query, no fragment. */
bool url_is_endpoint(const char *url);

/* Scheme, host and port are the same. */
bool url_same_origin(const char *a, const char *b);

/* Host and port of a proxy as the environment names it: "[SCHEME://]HOST[:PORT]". The caller frees both; *ret_port may be NULL. */
bool url_of_proxy(const char *proxy, char **ret_host, char **ret_port);

/* The host, without brackets; the caller frees it. NULL when there is none. */
char *url_host(const char *url);

/*
 * Where a redirect of `from` leads. E_HUB_PROTOCOL unless that is https, or the scheme, host and port of
 * the endpoint. Messages name hosts only: the rest of an URL may hold a signature.
 */
int url_redirect(const char *from, const char *location, const char *endpoint, char **ret, struct err *e);

/* For one segment of a path: a '/' is escaped too. The caller frees it. NULL when memory ran out. */
char *url_escape(const char *segment);

#endif
