#include "request.h"

#include <inttypes.h>
#include <netdb.h>
#include <sys/socket.h>
#include <time.h>

#include "access.h"
#include "base/str.h"
#include "param.h"
#include "reply.h"
#include "server_private.h"

#define REQUEST_MAGIC 0x72657173u

/*
 * Up to this many times the limit, an oversized body is read and dropped, so that its sender gets the 413
 * instead of a broken connection.
 */
#define DROP_FACTOR 8

/* Most query parameters of a request; GET /v1/jobs uses up to 22. */
#define PARAMS_MAX 64

static int64_t
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Reports the request to the server's owner, if the owner set a callback. */
static void
tell(const struct request *q, void (*fn)(void *arg, const struct server_request *q))
{
	const struct server_request r = {
		.method = q->method,
		.path = q->path,
		.route = q->route,
		.caller = q->owner,
		.status = q->status,
		.us = now_us() - q->began_us,
	};

	fn(q->server->spec.arg, &r);
}

/* "10.0.0.7", "uid 1000 on the Unix socket" */
static void
peer_print(const struct request *q, char *buf, size_t len)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
	socklen_t at_len = sizeof(at);
	struct ucred who;
	socklen_t who_len = sizeof(who);

	(void)snprintf(buf, len, "an unknown address");
	if (!fd)
		return;
	if (q->from->local && getsockopt(fd->connect_fd, SOL_SOCKET, SO_PEERCRED, &who, &who_len) == 0)
		(void)snprintf(buf, len, "uid %lu on the Unix socket", (unsigned long)who.uid);
	else if (!q->from->local && getpeername(fd->connect_fd, (struct sockaddr *)&at, &at_len) == 0)
		(void)getnameinfo((struct sockaddr *)&at, at_len, buf, (socklen_t)len, NULL, 0,
				  NI_NUMERICHOST);
}

const char *
request_caller(const struct request *q, char buf[REQUEST_CALLER_LEN])
{
	char from[64];

	peer_print(q, from, sizeof(from));
	if (*q->owner)
		(void)snprintf(buf, REQUEST_CALLER_LEN, "token '%s' from %s", q->owner, from);
	else
		(void)snprintf(buf, REQUEST_CALLER_LEN, "%s%s", from,
			       q->from->local ? "" : " without a token");
	return buf;
}

static int
route_set(struct request *q, const char *url, const char *method, char allow[ROUTE_ALLOW_LEN], struct err *e)
{
	struct route_args args = {.id = 0};

	q->route = route_find(&q->server->spec.routes, method, url, &args, allow, e);
	if (!q->route)
		return e->code;
	q->id = args.id;
	if (args.name) {
		q->name = strdup(args.name);
		if (!q->name)
			return err_no_memory(e);
	}
	return 0;
}

static enum MHD_Result
answer(struct request *q)
{
	if (!q->reply)
		return MHD_NO;
	conn_set(q->from,
		 !q->route || q->route->scope == SCOPE_NONE || q->status >= 400 ? CONN_PUBLIC : CONN_BUSY);
	if (q->close)
		reply_header(q, "Connection", "close");
	tell(q, q->server->spec.answered);
	return MHD_queue_response(q->conn, q->status, q->reply);
}

/*
 * Refuse many parameters. Each uses memory of the connection besides its text, and when that memory runs out,
 * the library closes the connection without an answer.
 */
static bool
params_too_many(const char *query)
{
	unsigned n = 1;

	for (; *query; query++)
		n += *query == '&';
	return n > PARAMS_MAX;
}

void *
request_new(void *arg, const char *uri, struct MHD_Connection *conn)
{
	const char *query = uri ? strchr(uri, '?') : NULL;
	struct conn *from = conn_of(conn);
	struct request *q;

	if (!from)
		return NULL;
	if (from->request)
		request_free(&from->request);
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->magic = REQUEST_MAGIC;
	q->server = arg;
	q->server->requests++;
	q->conn = conn;
	q->from = from;
	from->request = q;
	q->uri = uri;
	q->uri_len = uri ? strlen(uri) : 0;
	q->nul = query && strstr(query, "%00");
	if (query && params_too_many(query))
		conn_refuse(from, "414 URI Too Long");
	q->began_us = now_us();
	return q;
}

/*
 * Checks everything that is known before the body arrives. When this sets a reply (an error), the body is
 * read and dropped.
 */
static enum MHD_Result
request_begin(struct request *q, const char *url, const char *method, const char *version)
{
	const struct head_line line = {
		.method = method, .uri = q->uri, .uri_len = q->uri_len, .version = version};
	struct err e = ERR_INIT;
	char allow[ROUTE_ALLOW_LEN] = "";
	struct head head;

	q->begun = true;
	(void)snprintf(q->method, sizeof(q->method), "%s", method);
	(void)snprintf(q->path, sizeof(q->path), "%s", url);
	if (head_read(q->conn, &line, &head, &e) < 0 || access_check_host(q, &head, &e) < 0) {
		q->close = true;
		reply_error(q, &e);
		return answer(q);
	}
	q->close = head.chunked || !head.plain;
	if (route_set(q, url, method, allow, &e) < 0 || access_check(q, &head, &e) < 0)
		reply_error(q, &e);
	if (*allow)
		reply_header(q, "Allow", allow);
	if (e.code == E_UNAUTHORIZED)
		reply_header(q, "WWW-Authenticate", "Bearer realm=\"colconv\"");
	return MHD_YES;
}

void
request_body_release(struct request *q)
{
	q->server->bodies -= q->body.cap;
	buf_release(&q->body);
}

/* The arriving request with the largest body. */
static struct request *
body_largest(const struct server *s)
{
	struct request *found = NULL;
	const struct conn *c;

	LIST_FOREACH(c, &s->conns.open, entry)
		if (c->phase <= CONN_IDLE && c->request && (!found || c->request->body.cap > found->body.cap))
			found = c->request;
	return found;
}

/*
 * Keeps the bodies of all requests within their budget. Refuses the largest first, so that ordinary
 * submissions continue.
 */
static void
body_keep(struct request *q, const char *data, size_t len)
{
	struct server *s = q->server;
	const size_t before = q->body.cap;
	struct request *large;

	buf_add(&q->body, data, len);
	s->bodies += q->body.cap - before;
	while (s->bodies > s->spec.bodies_max && (large = body_largest(s)) && large->body.cap) {
		request_body_release(large);
		conn_refuse(large->from, "503 Service Unavailable");
	}
}

static enum MHD_Result
body_add(struct request *q, const char *data, size_t len)
{
	const uint64_t max = q->server->spec.body_max;

	q->body_len += len;
	if (q->body_len > max * DROP_FACTOR)
		return MHD_NO;
	/* an unexpected body may be the next request for a proxy that ignored the length: read no further */
	if (!q->route || q->route->takes != TAKES_BODY) {
		q->close = true;
		return MHD_YES;
	}
	if (q->reply)
		return MHD_YES;
	if (q->body_len <= max && q->body.len + len == q->body_len)
		body_keep(q, data, len);
	else /* too long, now or when it began: the limit may change in between */
		request_body_release(q);
	return q->from->ended ? MHD_NO : MHD_YES;
}

static int
request_run(struct request *q, struct err *e)
{
	if (q->body_len && q->route->takes != TAKES_BODY)
		return err_set(e, E_BAD_REQUEST, "'%s' takes no body", q->route->path);
	if (q->nul)
		return err_set(e, E_BAD_REQUEST, "a parameter holds a NUL");
	if (q->route->takes != TAKES_QUERY && params_get(q, NULL, 0, e) < 0)
		return e->code;
	if (q->body.failed)
		return err_no_memory(e);
	if (q->body_len > q->body.len)
		return err_set(e, E_TOO_LARGE, "the body is longer than %" PRIu64 " bytes",
			       q->server->spec.body_max);
	return q->route->fn(q, e);
}

void *
request_app(const struct request *q)
{
	return q->server->spec.app;
}

/* Do not report E_BUSY: a flood reaches limits all the time, and would fill the log. */
void
request_refuse(struct request *q, const struct err *why)
{
	if (err_http_status(why->code) >= 500 && why->code != E_BUSY)
		q->server->spec.failed(q->server->spec.arg, why);
	reply_error(q, why);
}

enum MHD_Result
request_handle(void *arg, struct MHD_Connection *conn, const char *url, const char *method,
	       const char *version, const char *upload_data, size_t *upload_data_size, void **state)
{
	struct server *s = arg;
	struct request *q = *state;
	struct err e = ERR_INIT;
	enum MHD_Result r;

	(void)conn;
	CHECK_OBJ(s, SERVER_MAGIC);
	if (!q)
		return MHD_NO; /* memory ran out */
	CHECK_OBJ(q, REQUEST_MAGIC);
	if (q->from->ended)
		return MHD_NO;
	if (s->ending && !q->reply && !q->waited)
		return MHD_NO;
	if (!q->begun)
		return request_begin(q, url, method, version);
	if (*upload_data_size) {
		r = body_add(q, upload_data, *upload_data_size);
		*upload_data_size = 0;
		return r;
	}
	if (q->reply)
		return answer(q);
	conn_set(q->from, CONN_BUSY);
	if (request_run(q, &e) < 0) {
		request_refuse(q, &e);
		return answer(q);
	}
	return q->reply ? answer(q) : MHD_YES;
}

void
request_free(struct request **qp)
{
	struct request *q = *qp;

	CHECK_OBJ(q, REQUEST_MAGIC);
	if (q->begun)
		tell(q, q->server->spec.ended);
	if (q->reply)
		MHD_destroy_response(q->reply);
	request_body_release(q);
	free(q->name);
	q->server->requests--;
	OBJ_FREE(*qp);
}

void
request_completed(void *arg, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why)
{
	struct request *q = *state;
	struct conn *c;

	(void)arg;
	(void)conn;
	(void)why;
	if (!q)
		return;
	CHECK_OBJ(q, REQUEST_MAGIC);
	c = q->from;
	assert(c->request == q);
	request_free(&c->request);
	conn_set(c, CONN_IDLE);
	*state = NULL;
}

void
request_suspend(struct request *q)
{
	MHD_suspend_connection(q->conn);
}

void
request_resume(struct request *q)
{
	MHD_resume_connection(q->conn);
	server_wake(q->server);
}

void
request_watch_peer(struct request *q, loop_fd_fn fn, void *arg)
{
	conn_watch_peer(q->from, fn, arg);
}
