/*
 * Requests to the daemon: the only user of libcurl.
 *
 * A server is "http://HOST:PORT", "https://..." or "unix:PATH". Answers of 400 and above
 * become errors that say what the problem document (RFC 9457) says; whatever keeps an
 * answer from arriving is E_UNREACHABLE.
 */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

#include "base/buf.h"

struct http;

/* A part of the body, which begins `offset` bytes into the resource. 0, an error, or 1: enough, end here. */
typedef int http_sink_fn(void *ctx, uint64_t offset, const char *data, size_t len, struct err *e);

struct http_request {
	const char *method;
	const char *path;  /* after the server's own */
	const char *body;  /* JSON; may be NULL */
	const char *header; /* one more, "Name: value"; may be NULL */
	uint64_t from;     /* first byte wanted; the server may begin at 0 all the same */
	http_sink_fn *sink;
	void *ctx;
	int64_t deadline_ms; /* as clock_ms() counts; then E_TIMEOUT. 0: none */
};

int http_new(const char *server, struct http **ret, struct err *e);
void http_free(struct http **h);

/* From now on requests end with E_CANCELLED when `fd` is readable. -1: none. */
void http_stop_on(struct http *h, int fd);

int http_perform(struct http *h, const struct http_request *req, struct err *e);

/* Percent-encoded for one segment of a path; the caller frees it. NULL when memory ran out. */
char *http_escape(const char *segment);

#endif
