/*
 * One request, from its first header to the end of its reply; the last argument of every
 * handler. It ends one of two ways: a reply was set, or it is pending with its connection
 * suspended, and whoever holds it sets a reply and calls request_resume().
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <sys/queue.h>

#include <microhttpd.h>

#include "base/buf.h"
#include "queue/spec.h"
#include "route.h"

struct server;

#define REQUEST_OWNER_LEN 64

struct request {
	unsigned magic;
	struct server *server;
	struct MHD_Connection *conn;
	const struct route *route;
	int64_t id; /* of the path's {id}; later of the job that was submitted */
	char *name; /* the path's {name} */
	char owner[REQUEST_OWNER_LEN]; /* name of the caller's token; "": it has none */
	struct buf body;
	uint64_t body_len;          /* seen, kept or not */
	char field[SPEC_FIELD_LEN]; /* that an error is to blame on; "": none */
	bool head;                  /* its method is HEAD */
	bool waited;                /* for an event: no longer (wait.h) */
	bool close;                 /* nothing more is read from the connection */
	struct spec spec;           /* POST /v1/jobs... */
	STAILQ_ENTRY(request) pending; /* ...while it waits for its commit */
	struct MHD_Response *reply;
	unsigned status;
};

STAILQ_HEAD(request_queue, request);

/* As MHD wants it, with the server as `arg`. */
enum MHD_Result request_handle(void *arg, struct MHD_Connection *conn, const char *url, const char *method,
			       const char *version, const char *upload_data, size_t *upload_data_size, void **state);
void request_completed(void *arg, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why);

/* From a handler: no reply yet. */
void request_suspend(struct request *q);
void request_resume(struct request *q);

#endif
