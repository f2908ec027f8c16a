/*
 * One HTTP request and its answer. It follows no redirect and makes no retry.
 *
 * An exchange lives in its owner's storage. Call exchange_init(); then, any number of times,
 * exchange_start(), wire_wait() until it has ended, and exchange_end(); at last exchange_release().
 *
 * Every exchange ends: after silence_ms without a byte, and when fewer than SLOW_BYTES a second arrive over
 * that time, unless the request is for a stream. The body of an error is kept up to ERROR_BODY_MAX bytes.
 */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"

#define EXCHANGE_MAGIC 0x65786368u
#define EXCHANGE_HEADERS 5 /* header lines that the owner can set */

/*
 * Takes the next bytes of the body of a 2xx answer; `offset` is their position in the whole file. Returns 0
 * to continue, 1 to end the exchange because the caller has enough, or an error.
 */
typedef int exchange_sink_fn(void *ctx, uint64_t offset, const void *data, size_t len, struct err *e);

/* Gives the next bytes of an upload, at most `len`: their count, or -1 to break off. */
typedef ssize_t exchange_source_fn(void *ctx, void *data, size_t len);

/* Returns whether this address, which the host's name was just resolved to, may be connected to. */
typedef bool exchange_allow_fn(void *ctx, const struct sockaddr *addr);

struct exchange_request {
	const char *url;
	const char *method;                    /* NULL: GET */
	const char *unix_socket;               /* connect to this path, not to the URL's host; NULL: no */
	const char *body;                      /* of a POST, kept by the owner until the end; NULL: none */
	exchange_source_fn *source;            /* the body of a PUT; NULL: none */
	uint64_t source_len;                   /* its bytes */
	const char *headers[EXCHANGE_HEADERS]; /* whole lines, NULL for none; copied */
	const char *cert_file;                 /* trust these certificates; NULL: the system's */
	uint64_t from;                         /* first byte wanted; a server may ignore it and begin at 0 */
	int64_t connect_ms;
	int64_t silence_ms;
	bool stream; /* may be slow for ever, as a stream of events is */
	bool fresh;  /* on a new connection: on a used one that broke, libcurl repeats a request by itself */
	bool no_proxy;            /* ignore the environment's proxies */
	exchange_allow_fn *allow; /* NULL: any address */
};

struct exchange_answer {
	long status;           /* 0: none came */
	int64_t retry_after_s; /* -1: not given */
	int64_t length;        /* of the body, by its Content-Length; -1: not given */
	char location[8192];
	char content_range[64];
	char etag[128];
	char error_code[32];    /* X-Error-Code, as the Hub sends it */
	char error_message[64]; /* X-Error-Message */
};

struct wire;

struct exchange {
	unsigned magic;
	LIST_ENTRY(exchange) entry; /* of its wire, while it runs */
	struct wire *wire;          /* NULL: not running */
	void *easy;                 /* libcurl's handle */
	void *headers;              /* libcurl's list */
	exchange_sink_fn *sink;
	exchange_source_fn *source;
	exchange_allow_fn *allow;
	void *ctx; /* for the callbacks */
	int64_t silence_ms;
	bool stream;
	int64_t heard_ms;  /* time of the last byte, or of the start; as loop_now_ms() */
	int64_t window_ms; /* start of the time that window_bytes are counted in; 0: not counting */
	uint64_t window_bytes;
	uint64_t offset; /* of the next byte of the body */
	bool body_begun;
	struct buf error_body; /* body of an answer that is not 2xx */
	size_t discarded;      /* bytes of it that did not fit */
	bool refused;          /* allow() said no */
	int sink_said;         /* the sink's last result */
	struct err err;        /* the sink's */
	bool ended;
	int code;        /* libcurl's, once it has ended */
	char words[256]; /* libcurl's or ours, of what broke */
	struct exchange_answer answer;
};

enum exchange_result {
	EXCHANGE_ANSWER,      /* a whole answer, with any status */
	EXCHANGE_ENOUGH,      /* the sink has enough */
	EXCHANGE_SINK,        /* the sink failed: x->err */
	EXCHANGE_BROKEN,      /* no connection, silence, too slow, or broken off: x->words */
	EXCHANGE_REFUSED,     /* allow() refused every address */
	EXCHANGE_CERTIFICATE, /* the server's certificate is not trusted: x->words */
};

int exchange_init(struct exchange *x, exchange_sink_fn *sink, void *ctx, struct err *e);

/* May be called while it runs, and on a zeroed exchange. */
void exchange_release(struct exchange *x);

/* `req` and its strings may be freed afterwards, except the body. */
int exchange_start(struct exchange *x, struct wire *w, const struct exchange_request *req, struct err *e);

/* Removes it from its wire and fills in the answer. An exchange that has not ended is broken off. */
enum exchange_result exchange_end(struct exchange *x);

/* True when the server may have received a byte of the request. */
bool exchange_was_sent(const struct exchange *x);

/*
 * For wire.c: true when silence or slowness has ended the exchange. Otherwise sets *ret_ms to the time of the
 * next check, if that is sooner.
 */
bool exchange_is_stuck(struct exchange *x, int64_t now_ms, int64_t *ret_ms);

#endif
