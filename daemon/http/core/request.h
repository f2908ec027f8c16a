/*
 * One request, from its first header to the end of its reply; the last argument of every
 * handler. It ends one of two ways: a reply was set, or it is pending with its connection
 * suspended, and whoever holds it sets a reply and calls request_resume().
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
	const char *uri; /* only its place: the library took its text apart */
	size_t uri_len;  /* as it came */
	bool nul;        /* there is one in its parameters, which unescape() in server.c leaves as it came */
	bool begun;      /* its headers were looked at */
	const struct route *route;
	int64_t id;                    /* the path's {id} */
	char *name;                    /* the path's {name} */
	char owner[REQUEST_OWNER_LEN]; /* name of the caller's token; "": it has none */
	struct buf body;
	uint64_t body_len;             /* bytes that arrived, kept or not */
	char field[REQUEST_FIELD_LEN]; /* the field that an error is about; "": none */
	bool waited;                   /* the handler is called again, and must reply (wait.h) */
	bool close;                    /* nothing more is read from the connection */
	struct MHD_Response *reply;
	unsigned status;
	char method[8]; /* as it was asked, cut, for the log */
	char path[100];
	int64_t began_us;
};

/* As MHD wants them, with the server as `arg`: at the first line, at the headers and after, at the end. */
void *request_new(void *arg, const char *uri, struct MHD_Connection *conn);
enum MHD_Result request_handle(void *arg, struct MHD_Connection *conn, const char *url, const char *method,
			       const char *version, const char *upload_data, size_t *upload_data_size,
			       void **state);
void request_completed(void *arg, struct MHD_Connection *conn, void **state,
		       enum MHD_RequestTerminationCode why);

/*
 * Each request belongs to its connection, for the library forgets requests that it refuses by itself: it
 * is freed when it completes, when the next one on its connection begins or when the connection closes.
 */
void request_free(struct request **q);

/* The body was read: its memory is another request's. */
void request_body_release(struct request *q);

/* `app` of the server's spec. */
void *request_app(const struct request *q);

/* Replies with the error, and reports an error of ours (5xx) to the server's owner. */
void request_refuse(struct request *q, const struct err *why);

/* From a handler: no reply yet. */
void request_suspend(struct request *q);
void request_resume(struct request *q);

/*
 * The library does not notice that the client of a suspended connection goes away. This calls back once,
 * when the client hangs up or says that it will send no more. Unwatch before the request ends.
 */
void request_watch_peer(struct request *q, loop_fd_fn fn, void *arg);

#endif
