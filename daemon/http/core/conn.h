/*
 * The connections, and the time that a request may take to come in.
 *
 * The library's own limit begins anew with every byte. Ours does not: a connection that is not
 * answering has the time that it may be idle and then that of one request, and is closed after it.
 */
#ifndef HTTP_CORE_CONN_H
#define HTTP_CORE_CONN_H

#include <sys/queue.h>

#include <microhttpd.h>

#include "base/loop.h"

struct conn {
	unsigned magic;
	struct conns *all;
	TAILQ_ENTRY(conn) entry; /* while a request is awaited */
	bool awaited;
	int64_t until_ms; /* on the loop's clock, while awaited */
	int fd;
	bool local; /* from a Unix socket */
};

struct conns {
	struct loop *loop;
	int64_t limit_ms;
	struct loop_timer due;
	TAILQ_HEAD(, conn) awaited; /* the first is due first */
};

void conns_init(struct conns *cs, struct loop *loop, int64_t limit_ms);
void conns_release(struct conns *cs); /* when no connection is left */

/* As MHD wants it, with the conns as `arg`. */
void conn_notify(void *arg, struct MHD_Connection *mhd, void **context,
		 enum MHD_ConnectionNotificationCode what);

/* NULL: memory ran out when it came, and it is being closed. */
struct conn *conn_of(struct MHD_Connection *mhd);

/* The reply to what never becomes a request, for the library has none to give: "408 Request Timeout". It ends the connection. */
void conn_refuse(struct conn *c, const char *status);

/* A request is there whole, or needs not be; and the reply to it is sent. */
void conn_arrived(struct conn *c);
void conn_await(struct conn *c);

#endif
