/*
 * Who may do what (proto/api.md, Access).
 *
 * A Unix socket is guarded by its file's mode. TCP is guarded by tokens where there are some. Where
 * there are none only this host reaches us, and what is left to fend off are the pages that a
 * browser on it shows.
 */
#ifndef HTTP_CORE_ACCESS_H
#define HTTP_CORE_ACCESS_H

#include "head.h"
#include "request.h"

/* Whatever is asked for: E_NOT_ALLOWED for a name of this host that another's page may have made up. */
int access_check_host(const struct request *q, const struct head *head, struct err *e);

/* With the route known: sets the owner; E_UNAUTHORIZED, E_NOT_ALLOWED. */
int access_check(struct request *q, const struct head *head, struct err *e);

#endif
