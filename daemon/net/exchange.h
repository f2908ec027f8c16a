/*
 * One HTTP request and its answer, without what may follow: no redirect and no retry.
 *
 * An exchange lives in its owner's storage. exchange_init(), then any number of times exchange_start(), wire_wait()
 * until it has ended, and exchange_end(); at last exchange_release().
 *
 * Every exchange ends. Silence for silence_ms ends it, and so do fewer than SLOW_BYTES a second over that time, unless
 * the request is for a stream. The body of an error is kept up to ERROR_BODY_MAX bytes.
 */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"

#define EXCHANGE_MAGIC 0x65786368u
#define EXCHANGE_HEADERS 5 /* lines of a request that its owner can set */

/*
 * Takes bytes of the body of a 2xx answer; `offset` is where they begin in the resource. Returns 0 to go on, 1 to end
 * the exchange because it was enough, or an error.
 */
typedef int exchange_sink_fn(void *ctx, uint64_t offset, const void *data, size_t len, struct err *e);

/* Whether to connect to this address, which the host's name has just been resolved to. */
typedef bool exchange_allow_fn(void *ctx, const struct sockaddr *addr);

struct exchange_request {
	const char *url;
	const char *method;                    /* NULL: GET */
	const char *unix_socket;               /* connect to this path, not to the URL's host; NULL: no */
	const char *body;                      /* of a POST, kept by the owner until the end; NULL: none */
	const char *headers[EXCHANGE_HEADERS]; /* whole lines, NULL for none; copied */
	const char *cert_file;                 /* trust these certificates; NULL: the system's */
	uint64_t from;                         /* first byte wanted; the server may begin at 0 all the same */
	int64_t connect_ms;
	int64_t silence_ms;
	bool stream;              /* may stay slow for ever */
	bool no_proxy;            /* ignore the environment's proxies */
	exchange_allow_fn *allow; /* NULL: any address */
};

struct exchange_answer {
	long status;           /* 0: none came */
	int64_t retry_after_s; /* -1: not given */
	int64_t length;        /* of the body, by its Content-Length; -1: not given */
	char location[8192];
	char content_range[64];
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
	exchange_allow_fn *allow;
	void *ctx; /* of both */
	int64_t silence_ms;
	bool stream;
	int64_t heard_ms;  /* when a byte came last, or the start; as loop_now_ms() counts */
	int64_t window_ms; /* since when window_bytes are counted; 0: not counted */
	uint64_t window_bytes;
	uint64_t offset; /* of the next byte of the body */
	bool body_begun;
	struct buf error_body; /* of an answer that is not 2xx */
	size_t discarded;      /* bytes of that beyond its limit */
	bool refused;          /* allow() said no */
	int sink_said;         /* last */
	struct err err;        /* the sink's */
	bool ended;
	int code;        /* libcurl's, once it has ended */
	char words[256]; /* libcurl's or ours, of what broke */
	struct exchange_answer answer;
};

enum exchange_result {
	EXCHANGE_ANSWER,      /* whole, of whatever status */
	EXCHANGE_ENOUGH,      /* the sink wanted no more */
	EXCHANGE_SINK,        /* the sink failed: x->err */
	EXCHANGE_BROKEN,      /* no connection, silence, too slow, or it broke off: x->words */
	EXCHANGE_REFUSED,     /* allow() refused every address */
	EXCHANGE_CERTIFICATE, /* the peer's is not trusted: x->words */
};

int exchange_init(struct exchange *x, exchange_sink_fn *sink, void *ctx, struct err *e);

/* Also of one that runs, or that was zeroed and never made. */
void exchange_release(struct exchange *x);

/* `req` and its strings, but for the body, may go afterwards. */
int exchange_start(struct exchange *x, struct wire *w, const struct exchange_request *req, struct err *e);

/* Takes it off its wire and fills in the answer. One that has not ended is broken off. */
enum exchange_result exchange_end(struct exchange *x);

/* Whether any byte of the request may have reached the server. */
bool exchange_was_sent(const struct exchange *x);

/* For wire.c: whether silence or slowness has ended it; else *ret_ms becomes the next time to look, if that is sooner. */
bool exchange_is_stuck(struct exchange *x, int64_t now_ms, int64_t *ret_ms);

#endif
