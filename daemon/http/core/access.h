/*
 * Who may do what (proto/api.md, Access).
 *
 * The file's mode guards a Unix socket. Tokens guard TCP. Without tokens only this host reaches us, and
 * the remaining danger is a web page in a browser on this host.
 */
#ifndef HTTP_CORE_ACCESS_H
#define HTTP_CORE_ACCESS_H

#include "head.h"
#include "request.h"

/* For every request, before its route is known: E_NOT_ALLOWED for a Host that DNS rebinding could use. */
int access_check_host(const struct request *q, const struct head *head, struct err *e);

/* When the route is known. Sets q->owner, or returns E_UNAUTHORIZED or E_NOT_ALLOWED. */
int access_check(struct request *q, const struct head *head, struct err *e);

#endif
