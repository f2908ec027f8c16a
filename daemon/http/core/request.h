/*
 * One request, from its first header to the end of its reply. Every handler gets it as its last argument.
 *
 * A handler ends in one of two ways. It sets a reply; or it leaves the request pending, with its connection
 * suspended, and somebody sets a reply later and calls request_resume().
 */
#ifndef HTTP_CORE_REQUEST_H
#define HTTP_CORE_REQUEST_H

#include <sys/queue.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "base/loop.h"
#include "conn.h"
#include "route.h"

struct server;

#define REQUEST_OWNER_LEN 64
#define REQUEST_FIELD_LEN 96

struct request {
	unsigned magic;
	struct server *server;
	struct MHD_Connection *conn;
	struct conn *from;
	const char *uri; /* use its address only: the library has changed its text since */
	size_t uri_len;  /* as it came */
	bool nul;        /* a parameter holds a NUL; unescape() of server.c leaves "%00" as it came */
	bool begun;      /* its headers were checked */
	const struct route *route;
	int64_t id;                    /* the path's {id} */
	char *name;                    /* the path's {name} */
	char owner[REQUEST_OWNER_LEN]; /* name of the caller's token; "": it has none */
	enum scope scope;              /* what the caller may do: SCOPE_ADMIN without tokens */
	struct buf body;
	uint64_t body_len;             /* bytes that arrived, including dropped ones */
	char field[REQUEST_FIELD_LEN]; /* the field that an error is about; "": none */
	bool waited;                   /* the handler is called again, and must reply (wait.h) */
	bool close;                    /* read nothing more from the connection */
	struct MHD_Response *reply;
	unsigned status;
	char method[8]; /* as the client sent it, cut; for the log */
	char path[100];
	int64_t began_us;
};

/*
 * Callbacks for MHD, with the server as `arg`: after the first line, after the headers and each piece of the
 * body, and at the end.
 */
void *request_new(void *arg, const char *uri, struct MHD_Connection *conn);
enum MHD_Result request_handle(void *arg, struct MHD_Connection *conn, const char *url, const char *method,
			       const char *version, const char *upload_data, size_t *upload_data_size,
			       void **state);
void request_completed(void *arg, struct MHD_Connection *conn, void **state,
		       enum MHD_RequestTerminationCode why);

/*
 * A request belongs to its connection. MHD calls request_completed() for most requests, but not for those that it
 * refuses by itself. So a request is freed when it completes, when the next one begins on its connection, or
 * when the connection closes.
 */
void request_free(struct request **q);

/* Call when the body has been parsed: frees its memory for other requests. */
void request_body_release(struct request *q);

/* The `app` of the server's spec: whatever the handlers need. */
void *request_app(const struct request *q);

/* Replies with the error. Errors of ours (5xx) are also reported to the server's owner. */
void request_refuse(struct request *q, const struct err *why);

/*
 * Who sent it and from where, for the log: "token 'ci' from 10.0.0.7", "uid 1000 on the Unix socket", "127.0.0.1
 * without a token".
 */
#define REQUEST_CALLER_LEN 160
const char *request_caller(const struct request *q, char buf[REQUEST_CALLER_LEN]);

/* Call in a handler that sets no reply yet. */
void request_suspend(struct request *q);
void request_resume(struct request *q);

/*
 * Watches for the client of a suspended connection to go away, which the library does not notice. Calls `fn`
 * once, when the client hangs up or closes its sending side. Unwatch before the request ends.
 */
void request_watch_peer(struct request *q, loop_fd_fn fn, void *arg);

#endif
