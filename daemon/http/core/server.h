/*
 * An HTTP server on an event loop of ours, for whatever table of routes it is given.
 *
 * libmicrohttpd runs inside the loop, without threads: its own epoll thread stalls when exactly
 * 128 connections are ready at once. We accept the connections and hand them to it, so several
 * addresses share one instance and its limits.
 */
#ifndef HTTP_CORE_SERVER_H
#define HTTP_CORE_SERVER_H

#include <sys/queue.h>

#include "base/loop.h"
#include "route.h"
#include "token.h"

struct server;

/* A request, for counting and logging it. Valid during the call. */
struct server_request {
	const char *method;
	const char *path;
	const struct route *route; /* NULL: no route matched */
	const char *caller;        /* name of the caller's token; "": none */
	unsigned status;           /* 0: it ended without an answer */
	int64_t us;                /* since the request's first line */
};

/* All borrowed. */
struct server_spec {
	struct loop *loop;
	struct route_table routes;
	unsigned connections_max;
	unsigned connections_per_address; /* 0: no limit */
	unsigned idle_s;                  /* a connection that moves no byte for so long is closed */
	unsigned request_s;               /* longest time for a whole request to arrive */
	size_t header_max;    /* bytes of a connection's memory: the first line and the headers must fit */
	uint64_t body_max;    /* bytes of a request's body */
	uint64_t bodies_max;  /* bytes of all bodies together */
	uint64_t answers_max; /* bytes of all answers that wait for their readers, together */
	void (*answered)(void *arg, const struct server_request *q); /* an answer begins */
	void (*ended)(void *arg, const struct server_request *q);    /* after the answer, or without one */
	void (*failed)(void *arg, const struct err *why); /* a request met an error of ours (5xx) */
	void *arg;
	void *app; /* the handlers get it from request_app() */
};

int server_new(const struct server_spec *spec, struct server **ret, struct err *e);

/* From now on handlers are only called again, never anew. Before whatever they wait for is ended. */
void server_end(struct server *s);

/* Ends every connection. No connection may be suspended: resume them first. */
void server_free(struct server **s);

/*
 * Sets who may call, from now on: NULL is everyone. `tokens` is taken, also on failure. E_NOT_ALLOWED for
 * NULL while other hosts reach us. Before the first server_listen(), and whenever the file has changed.
 */
int server_set_tokens_take(struct server *s, struct tokens *tokens, struct err *e);

/*
 * ADDRESS:PORT (port 0: a free one; *ret_port is the one taken), or unix:PATH (*ret_port is 0).
 * E_NOT_ALLOWED for an address that other hosts reach when there are no tokens; E_USAGE for text that
 * is not an address.
 */
int server_listen(struct server *s, const char *address, uint16_t *ret_port, struct err *e);

/* Only the checks of server_listen(). */
int server_address_check(const char *address, const struct tokens *tokens, struct err *e);

/* For a socket that listens already; `fd` is taken, also on failure. */
int server_adopt_take(struct server *s, int fd, uint16_t *ret_port, struct err *e);

/* Accepts no more connections; the open ones continue. */
void server_quiesce(struct server *s);

/*
 * Replaces what is read at each use. The loop and the limits of connections stay as server_new() got
 * them, for these are the library's.
 */
void server_set_spec(struct server *s, const struct server_spec *spec);

/* What is there now: connections, requests, and bytes of bodies and answers. */
unsigned server_connections(const struct server *s);
unsigned server_requests(const struct server *s);
uint64_t server_bytes(const struct server *s);

/*
 * Called once in each turn of the loop, after the requests of the turn were handled: the place to do for
 * all of them what is costly for each. Returns whether it resumed a request.
 */
typedef bool (*server_turn_fn)(void *arg);

struct server_turn {
	STAILQ_ENTRY(server_turn) entry;
	server_turn_fn fn;
	void *arg;
};

/* `t` stays the caller's, and must live as long as the server. */
void server_turn_add(struct server *s, struct server_turn *t);

/* Runs the server again in this turn's end: after a suspended connection was resumed, or a turn has work. */
void server_wake(struct server *s);

#endif
