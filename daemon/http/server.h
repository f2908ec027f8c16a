/*
 * The HTTP API of the daemon (proto/api.md) on an event loop of ours.
 *
 * libmicrohttpd runs inside the loop, without threads: its own epoll thread stalls when exactly
 * 128 connections are ready at once. We accept and hand it the connections, so several
 * addresses share one instance and its limits.
 *
 * Submissions that arrive in one turn of the loop share one commit, and are answered after it.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/json.h"
#include "base/loop.h"
#include "metrics.h"
#include "queue/retention.h"
#include "runner/runner.h"
#include "token.h"

struct server;

/* One that was answered, or given up. */
struct server_request {
	const char *method;
	const char *path;
	const char *caller; /* name of its token; "": it has none */
	unsigned status;    /* 0: there was no answer */
	int64_t ms;
};

/* What the API shows and changes, and what it may use of the machine. All borrowed. */
struct server_spec {
	struct loop *loop;
	struct store *store;
	struct runners *runners;
	struct metrics *metrics;
	const char *state_dir;
	const char *const *roots;
	size_t n_roots;
	uint64_t queue_max; /* jobs that may be queued */
	unsigned connections_max;
	unsigned connections_per_address; /* 0: no limit */
	unsigned idle_s;                  /* a connection that moves nothing for so long is closed */
	unsigned request_s;               /* time that a request may take to come in */
	size_t header_max; /* bytes of a connection's pool: the lines and headers of a request must fit */
	uint64_t body_max; /* bytes of a request's body */
	unsigned streams_max;
	uint64_t stream_backlog_max;  /* bytes that wait for a slow reader of events */
	int64_t replay_max;           /* past events that a stream is sent */
	int64_t heartbeat_ms;         /* of streams */
	void (*submitted)(void *arg); /* jobs were queued */
	void (*removed)(void *arg, const struct removal *what); /* there may be something in trash/ */
	json_t *(*config)(void *arg);                     /* the settings, without secrets; NULL: no memory */
	void (*failed)(void *arg, const struct err *why); /* a request met an error of ours (5xx) */
	void (*requested)(void *arg, const struct server_request *q);
	void *arg;
};

int server_new(const struct server_spec *spec, struct server **ret, struct err *e);

/* Ends every connection. */
void server_free(struct server **s);

/*
 * Who may call, from now on: NULL is everyone. Taken, also on failure. E_NOT_ALLOWED for NULL while
 * other hosts reach us. Before the first server_listen(), and whenever the file has changed:
 *
 *	r = tokens_load(conf.tokens, &tokens, e);
 *	if (r == 0)
 *		r = server_set_tokens_take(server, tokens, e);
 *
 * Streams of events end and waiting requests are answered, so that those who still may come back.
 */
int server_set_tokens_take(struct server *s, struct tokens *tokens, struct err *e);

/*
 * ADDRESS:PORT (port 0: a free one; *ret_port is the one taken), or unix:PATH (*ret_port is 0).
 * E_NOT_ALLOWED for an address that other hosts reach, when there are no tokens; E_USAGE for what
 * is no address.
 */
int server_listen(struct server *s, const char *address, uint16_t *ret_port, struct err *e);

/* The checks of that alone. */
int server_address_check(const char *address, const struct tokens *tokens, struct err *e);

/*
 * What is asked for at each use, for requests from now on. The loop and the store stay; the limits of connections
 * are the library's, and are those of server_new().
 */
void server_set_spec(struct server *s, const struct server_spec *spec);

/* Says so to those who ask whether the daemon is ready. */
void server_set_stopping(struct server *s);

/* For a socket that listens already; taken, also on failure. */
int server_adopt_take(struct server *s, int fd, uint16_t *ret_port, struct err *e);

/* Takes no more connections and ends the streams of events; what is under way goes on. */
void server_quiesce(struct server *s);

/*
 * After a commit: shows the numbered events that are new to those who watch, and answers those who waited
 * for them. Only what is durable may be there: not to be called inside a batch of the store.
 */
void server_publish(struct server *s);

/* To those who watch at this moment; `data` is taken. */
void server_publish_progress_take(struct server *s, int64_t job, json_t *data);

/* The job is gone, with its events. */
void server_publish_removed(struct server *s, int64_t job);

#endif
