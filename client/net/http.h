/*
 * Sends requests to the daemon, over the exchanges of daemon/net.
 *
 * A server is the URL "http://HOST:PORT", "https://..." or "unix:PATH". An answer of 300 and above becomes an error
 * with the words of its problem document (RFC 9457). E_UNREACHABLE when no answer arrives.
 *
 * http_perform() makes one request. For several at once: http_begin() each, then http_wait() until one has
 * ended, and http_finish() that one.
 */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

#include "net/exchange.h"

struct http;
struct http_transfer; /* a running request */

struct http_request {
	const char *method;
	const char *path;   /* appended to the server's own path */
	const char *body;   /* JSON; may be NULL */
	const char *header; /* another header, "Name: value"; may be NULL */
	exchange_sink_fn *sink;
	void *ctx;
	bool stream;         /* the answer may be slow for ever, as a stream of events is */
	bool *ret_sent;      /* set when the daemon may have got the request; may be NULL */
	int64_t deadline_ms; /* of http_perform(), as loop_now_ms() counts; then E_TIMEOUT. 0: none */
};

/*
 * The URL of a server as a person writes it: HOST:PORT means http, and an absolute path is a Unix socket. Returns a
 * string to free, or NULL and sets E_USAGE.
 */
char *http_server_url(const char *server, struct err *e);

/* `server` is a URL of http_server_url(); `token` may be NULL. */
int http_new(const char *server, const char *token, struct http **ret, struct err *e);
void http_free(struct http **h);

/* True when a token would travel unencrypted over a network to this server. */
bool http_is_open(const char *server);

/* From now on waiting ends with E_CANCELLED once `fd` is readable. -1: never. */
void http_stop_on(struct http *h, int fd);

int http_perform(struct http *h, const struct http_request *req, struct err *e);

/* `req` and what it points to must stay until http_finish(). */
int http_begin(struct http *h, const struct http_request *req, struct http_transfer **ret, struct err *e);

/* *ret is a request that has ended. It is NULL when bytes arrived or `deadline_ms` (0: none) passed first. */
int http_wait(struct http *h, int64_t deadline_ms, struct http_transfer **ret, struct err *e);

const struct http_request *http_request(const struct http_transfer *t);

/*
 * Returns how the request ended. One that still runs is broken off. *t becomes NULL; it may be NULL already.
 */
int http_finish(struct http_transfer **t, struct err *e);

/* ---- for the downloader: the same server, token and errors, on exchanges of its own ---- */

/* The wire of all requests. */
struct wire *http_wire(struct http *h);

/* Fills in a GET of `url`, which http_url() made. */
void http_ask(const struct http *h, const char *url, struct exchange_request *ret);

/* The caller frees it; NULL when memory ran out. */
char *http_url(const struct http *h, const char *path);

/* The error of an exchange; 0 when it brought the whole answer. `what` names the request: "GET /v1/jobs". */
int http_judge(const struct http *h, const struct exchange *x, enum exchange_result result, const char *what,
	       struct err *e);

#endif
