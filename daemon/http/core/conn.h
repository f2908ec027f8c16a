/*
 * The connections: how many there may be, which are given up for newcomers, how long a request may take
 * to arrive, and clients that hung up.
 *
 * The library has limits too, but a full house turns newcomers away, and its time limit starts anew with
 * each byte. And it can miss that a client hung up: its epoll is edge-triggered, and when data and the
 * end of the stream arrive together it takes the short read for "nothing more". So each connection is
 * also watched by our own loop, and one whose client hung up before its request was whole is ended.
 *
 * The library closes the descriptor. To end a connection we shut it down, and the library then sees the
 * end of the stream.
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
	struct share *shares[2];      /* of its listener; of its address, or NULL */
	TAILQ_ENTRY(conn) entries[2]; /* in the lists of the shares, while the phase is listed */
	LIST_ENTRY(conn) entry;
	enum conn_phase phase;
	bool ended;          /* shut down by us; no longer counted */
	bool hung_up;        /* the client sends nothing more */
	bool local;          /* from a Unix socket */
	int64_t since_ms;    /* start of the phase, on the loop's clock */
	struct loop_fd peer; /* calls back when the client hangs up, and when it is gone */
	loop_fd_fn left;     /* whom else to tell of it; NULL: nobody */
	void *left_arg;
	struct request *request; /* owned, until the library or we release it */
};

struct conns {
	struct loop *loop;
	int64_t limit_ms; /* for a request to arrive */
	unsigned max;
	unsigned per_address_max; /* 0: three quarters of what its listener may hold */
	unsigned n;               /* open, without the ended ones */
	struct share **listeners; /* borrowed; n_listeners of them */
	size_t n_listeners;
	struct addresses addresses;
	struct loop_timer due;
	struct loop_timer hung;     /* looks again at those that hung up */
	LIST_HEAD(, conn) arriving; /* given to the library, which did not tell of them yet */
	LIST_HEAD(, conn) open;
	void (*release)(struct request **q); /* of a request that the library forgot */
};

void conns_init(struct conns *cs, struct loop *loop, int64_t limit_ms);
void conns_release(struct conns *cs); /* when no connection is left */

/*
 * Makes room for a connection that was accepted: E_BUSY when there is none, and none can be given up.
 * After success the descriptor is to be handed to the library.
 */
int conns_enter(struct conns *cs, struct share *listener, int fd, const struct sockaddr *from, struct err *e);

/* After the library ran: forgets the connections that it refused. */
void conns_settle(struct conns *cs);

/* For MHD_OPTION_NOTIFY_CONNECTION, with the conns as `arg`. */
void conn_notify(void *arg, struct MHD_Connection *mhd, void **context,
		 enum MHD_ConnectionNotificationCode what);

/* NULL: memory ran out when it came, and it is being closed. */
struct conn *conn_of(struct MHD_Connection *mhd);

/* Changes what the connection is doing. CONN_NEW and CONN_IDLE start the time that a request has to arrive. */
void conn_set(struct conn *c, enum conn_phase phase);

/*
 * Calls back once, when the client hangs up or says that it will send no more; at once when it did
 * already. `fn` NULL: no longer.
 */
void conn_watch_peer(struct conn *c, loop_fd_fn fn, void *arg);

/* Answers without the library, with "408 Request Timeout" for example, and ends the connection. */
void conn_refuse(struct conn *c, const char *status);

/* Whether a client hung up without a whole request. Costs much less than handing the connection over. */
bool conn_is_gone(int fd);

#endif
