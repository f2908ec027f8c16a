/*
 * Requests to the daemon, over the exchanges of daemon/net.
 *
 * A server is "http://HOST:PORT", "https://..." or "unix:PATH". Answers of 300 and above become errors that say what the
 * problem document (RFC 9457) says; whatever keeps an answer from arriving is E_UNREACHABLE.
 *
 * http_perform() is one request. Several at once: http_begin() each, then http_wait() until one of them has ended, and
 * http_finish() that one.
 */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

#include "net/exchange.h"

struct http;
struct http_transfer; /* a request under way */

struct http_request {
	const char *method;
	const char *path;   /* after the server's own */
	const char *body;   /* JSON; may be NULL */
	const char *header; /* one more, "Name: value"; may be NULL */
	exchange_sink_fn *sink;
	void *ctx;
	bool stream;         /* the answer may stay slow for ever */
	bool *ret_sent;      /* set when the daemon may have got the request; may be NULL */
	int64_t deadline_ms; /* of http_perform(), as loop_now_ms() counts; then E_TIMEOUT. 0: none */
};

/* `token` may be NULL. */
int http_new(const char *server, const char *token, struct http **ret, struct err *e);
void http_free(struct http **h);

/* Whether a token travels in the clear to this server, over a network. */
bool http_is_open(const char *server);

/* From now on waiting ends with E_CANCELLED when `fd` is readable. -1: none. */
void http_stop_on(struct http *h, int fd);

int http_perform(struct http *h, const struct http_request *req, struct err *e);

/* `req` and what it points to must stay until http_finish(). */
int http_begin(struct http *h, const struct http_request *req, struct http_transfer **ret, struct err *e);

/* *ret is one that has ended, or NULL when `deadline_ms` (0: none) or bytes came first. */
int http_wait(struct http *h, int64_t deadline_ms, struct http_transfer **ret, struct err *e);

const struct http_request *http_request(const struct http_transfer *t);

/* How it went; one that has not ended is broken off. *t becomes NULL, which is fine too. */
int http_finish(struct http_transfer **t, struct err *e);

/* ---- for the downloader: the same server, token and errors, on exchanges of its own ---- */

/* The wire of all requests. */
struct wire *http_wire(struct http *h);

/* Fills in a GET of `url`, which http_url() made. */
void http_ask(const struct http *h, const char *url, struct exchange_request *ret);

/* The caller frees it; NULL when memory ran out. */
char *http_url(const struct http *h, const char *path);

/* Why an exchange brought nothing; 0 when it brought all it should. `what` names the request: "GET /v1/jobs". */
int http_judge(const struct http *h, const struct exchange *x, enum exchange_result result, const char *what,
	       struct err *e);

#endif
