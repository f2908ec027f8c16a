/* URLs, parsed by libcurl itself: the host that is checked here is the host that is connected to. */
#ifndef HUB_URL_H
#define HUB_URL_H

#include "base/err.h"

/*
 * True for http or https with a host, an optional port and an optional path, and without user, query and
 * fragment.
 */
bool url_is_endpoint(const char *url);

/* True when scheme, host and port are the same. */
bool url_same_origin(const char *a, const char *b);

/* Host and port of a proxy as the environment names it: "[SCHEME://]HOST[:PORT]". The caller frees both; *ret_port may be NULL. */
bool url_of_proxy(const char *proxy, char **ret_host, char **ret_port);

/* The host without brackets, for the caller to free. NULL when the URL has none. */
char *url_host(const char *url);

/*
 * The target of a redirect of `from`. E_HUB_PROTOCOL unless it is https, or has the endpoint's scheme, host
 * and port. Messages name only hosts, because the rest of an URL may hold a signature.
 */
int url_redirect(const char *from, const char *location, const char *endpoint, char **ret, struct err *e);

/* Escapes a segment of a path, including '/'. The caller frees the result. NULL when memory ran out. */
char *url_escape(const char *segment);

#endif
