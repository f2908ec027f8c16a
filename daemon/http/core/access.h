/*
 * Decides whether a request is allowed (proto/api.md, Access).
 *
 * The file mode guards a Unix socket. Tokens guard TCP. Without tokens only this host can connect; the
 * remaining danger is a web page that runs in a browser on this host.
 */
#ifndef HTTP_CORE_ACCESS_H
#define HTTP_CORE_ACCESS_H

#include "head.h"
#include "request.h"

/*
 * Call for every request, before its route is known. E_NOT_ALLOWED for a Host header that DNS rebinding could
 * use.
 */
int access_check_host(const struct request *q, const struct head *head, struct err *e);

/* Call when the route is known. Sets q->owner, or returns E_UNAUTHORIZED or E_NOT_ALLOWED. */
int access_check(struct request *q, const struct head *head, struct err *e);

#endif
