/*
 * Requests to the daemon: the only user of libcurl.
 *
 * A server is "http://HOST:PORT", "https://..." or "unix:PATH". Answers of 400 and above
 * become errors that say what the problem document (RFC 9457) says; whatever keeps an
 * answer from arriving is E_UNREACHABLE.
 *
 * http_perform() is one request. Several at once: http_begin() each, then http_wait() until
 * one of them has ended, and http_finish() that one.
 */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

#include "base/buf.h"

struct http;
struct http_transfer; /* a request under way */

/* A part of the body, which begins `offset` bytes into the resource. 0, an error, or 1: enough, end here. */
typedef int http_sink_fn(void *ctx, uint64_t offset, const char *data, size_t len, struct err *e);

struct http_request {
	const char *method;
	const char *path;   /* after the server's own */
	const char *body;   /* JSON; may be NULL */
	const char *header; /* one more, "Name: value"; may be NULL */
	uint64_t from;      /* first byte wanted; the server may begin at 0 all the same */
	http_sink_fn *sink;
	void *ctx;
	bool *ret_sent;      /* set when the daemon may have got the request; may be NULL */
	int64_t deadline_ms; /* of http_perform(), as clock_ms() counts; then E_TIMEOUT. 0: none */
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

/* Percent-encoded for one segment of a path or a value of a query; the caller frees it. NULL when memory ran out. */
char *http_escape(const char *segment);

#endif
