/* The header If-None-Match (RFC 9110). */
#ifndef HTTP_CORE_ETAG_H
#define HTTP_CORE_ETAG_H

#include "base/util.h"

/* Whether the header (NULL: the request has none) lists `etag`, which includes its quotes. */
bool etag_listed(const char *if_none_match, const char *etag);

#endif
