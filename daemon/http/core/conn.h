/*
 * The open connections: their number, their deadlines, and which of them are closed to make room for new
 * ones.
 *
 * libmicrohttpd has limits too, but two of them do not suffice. At its limit it refuses new connections
 * instead of closing idle ones, and its timeout starts again with each byte. It can also miss that a client
 * hung up: its epoll is edge-triggered, and when data and the end of the stream arrive together, it takes the
 * short read for "no more yet". So our own loop watches each connection too, and ends those whose client hung
 * up in the middle of a request.
 *
 * The library closes the descriptor. To end a connection, shut it down; the library then reads the end of the
 * stream.
 */
#ifndef HTTP_CORE_CONN_H
#define HTTP_CORE_CONN_H

#include <microhttpd.h>

#include "base/loop.h"
#include "share.h"

struct request;

struct conn {
	unsigned magic;
	struct conns *all;
	struct share *shares[2];      /* the listener's and the address's (or NULL) */
	TAILQ_ENTRY(conn) entries[2]; /* in those shares' lists, while the phase has a list */
	LIST_ENTRY(conn) entry;
	enum conn_phase phase;
	bool ended;          /* shut down by us; no longer counted */
	bool hung_up;        /* the client sends nothing more */
	bool local;          /* from a Unix socket */
	int64_t since_ms;    /* start of the phase, on the loop's clock */
	struct loop_fd peer; /* calls back when the client hangs up, and when it is gone */
	loop_fd_fn left;     /* another callback for the same event; NULL: none */
	void *left_arg;
	struct request *request; /* owned, until the library or we release it */
};

struct conns {
	struct loop *loop;
	int64_t limit_ms; /* longest time for a whole request to arrive */
	unsigned max;
	unsigned per_address_max; /* 0: three quarters of what its listener may hold */
	unsigned n;               /* open, without the ended ones */
	struct share **listeners; /* borrowed; n_listeners of them */
	size_t n_listeners;
	struct addresses addresses;
	struct loop_timer due;
	struct loop_timer hung;     /* the next look at clients that hung up */
	LIST_HEAD(, conn) arriving; /* given to the library, which has not reported them yet */
	LIST_HEAD(, conn) open;
	void (*release)(struct request **q); /* frees a request that the library dropped unfinished */
};

void conns_init(struct conns *cs, struct loop *loop, int64_t limit_ms);
void conns_release(struct conns *cs); /* when no connection is left */

/*
 * Makes room for a new connection. E_BUSY when the limit is reached and no open connection can be given up.
 * After success hand the descriptor to the library.
 */
int conns_enter(struct conns *cs, struct share *listener, int fd, const struct sockaddr *from, struct err *e);

/* Call after the library ran: forgets the connections that it refused. */
void conns_settle(struct conns *cs);

/* For MHD_OPTION_NOTIFY_CONNECTION, with the conns as `arg`. */
void conn_notify(void *arg, struct MHD_Connection *mhd, void **context,
		 enum MHD_ConnectionNotificationCode what);

/* NULL when memory ran out as the connection arrived; it is being closed. */
struct conn *conn_of(struct MHD_Connection *mhd);

/* Sets the phase. CONN_NEW and CONN_IDLE start the time that a whole request has to arrive. */
void conn_set(struct conn *c, enum conn_phase phase);

/*
 * Calls `fn` once: when the client hangs up or closes its sending side, or at once if it did so already. With
 * `fn` NULL the call is cancelled.
 */
void conn_watch_peer(struct conn *c, loop_fd_fn fn, void *arg);

/* Writes this answer ("408 Request Timeout") without the library, and ends the connection. */
void conn_refuse(struct conn *c, const char *status);

/*
 * True when the client hung up without a whole request. Checking this costs much less than handing the
 * connection to the library.
 */
bool conn_is_gone(int fd);

#endif
