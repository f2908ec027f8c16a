/*
 * An HTTP server in our event loop. The caller gives the table of routes.
 *
 * libmicrohttpd runs inside the loop, without threads of its own: its epoll thread stalls when exactly 128
 * connections are ready at once. We accept connections and hand them to it, so that several addresses share
 * one instance and its limits.
 */
#ifndef HTTP_CORE_SERVER_H
#define HTTP_CORE_SERVER_H

#include <sys/queue.h>

#include "base/loop.h"
#include "route.h"
#include "token.h"

struct server;

/* The facts of a request for counters and the log. Valid during the call. */
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
	void (*ended)(void *arg, const struct server_request *q); /* answered, or ended without an answer */
	void (*failed)(void *arg, const struct err *why);         /* a request met an error of ours (5xx) */
	void *arg;
	void *app; /* the handlers get it from request_app() */
};

int server_new(const struct server_spec *spec, struct server **ret, struct err *e);

/*
 * From now on new requests get no handler; only requests that waited are handled again. Call before ending
 * their waits.
 */
void server_end(struct server *s);

/* Ends every connection. Resume suspended connections first. */
void server_free(struct server **s);

/*
 * Sets the tokens that may call from now on. NULL: everyone may. `tokens` is taken, also on failure.
 * E_NOT_ALLOWED for NULL while other hosts can reach us. Call before the first server_listen(), and whenever
 * the file changed.
 */
int server_set_tokens_take(struct server *s, struct tokens *tokens, struct err *e);

/*
 * ADDRESS:PORT (port 0: a free one; *ret_port is the one taken), or unix:PATH (*ret_port is 0).
 * E_NOT_ALLOWED for an address that other hosts reach when there are no tokens; E_USAGE for text that
 * is not an address.
 */
int server_listen(struct server *s, const char *address, uint16_t *ret_port, struct err *e);

/* Makes the checks of server_listen(), and does not listen. */
int server_address_check(const char *address, const struct tokens *tokens, struct err *e);

/* Uses a socket that listens already. `fd` is taken, also on failure. */
int server_adopt_take(struct server *s, int fd, uint16_t *ret_port, struct err *e);

/* Accepts no more connections; the open ones continue. */
void server_quiesce(struct server *s);

/*
 * Replaces the settings that are read at each use. The loop and the limits of connections stay: the library
 * got these in server_new() and cannot change them.
 */
void server_set_spec(struct server *s, const struct server_spec *spec);

/* Counts at this moment: connections, requests, and bytes of bodies and answers. */
unsigned server_connections(const struct server *s);
unsigned server_requests(const struct server *s);
uint64_t server_bytes(const struct server *s);

/*
 * Called once in each turn of the loop, after the turn's requests were handled. Do here, once for all of
 * them, work that would be costly for each, such as a commit. Returns whether it resumed a request.
 */
typedef bool (*server_turn_fn)(void *arg);

struct server_turn {
	STAILQ_ENTRY(server_turn) entry;
	server_turn_fn fn;
	void *arg;
};

/* `t` stays the caller's, and must live as long as the server. */
void server_turn_add(struct server *s, struct server_turn *t);

/*
 * Runs the server again at the end of this turn. Call after resuming a connection, and when a server_turn has
 * work to do.
 */
void server_wake(struct server *s);

#endif
