#include "request.h"

#include <inttypes.h>
#include <time.h>

#include "access.h"
#include "base/str.h"
#include "param.h"
#include "reply.h"
#include "server_private.h"

#define REQUEST_MAGIC 0x72657173u

/* A body beyond the limit is read and dropped, so that its sender hears why; up to this many times the limit. */
#define DROP_FACTOR 8

/* Parameters of a query; jobs are listed by 22 at most. */
#define PARAMS_MAX 64

static int64_t
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Tells the server's owner of the request, where it wants to know. */
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
	conn_arrived(q->from);
	if (q->close)
		reply_header(q, "Connection", "close");
	tell(q, q->server->spec.answered);
	return MHD_queue_response(q->conn, q->status, q->reply);
}

/* Each takes of the connection's memory beside its text, and where that ends the library falls silent. */
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
	struct request *q = calloc(1, sizeof(*q));
	const char *query = uri ? strchr(uri, '?') : NULL;

	if (!q)
		return NULL;
	q->magic = REQUEST_MAGIC;
	q->server = arg;
	q->conn = conn;
	q->from = conn_of(conn);
	q->uri_len = uri ? strlen(uri) : 0;
	q->nul = query && strstr(query, "%00");
	if (q->from && query && params_too_many(query))
		conn_refuse(q->from, "414 URI Too Long");
	q->began_us = now_us();
	return q;
}

/* All that can be said before the body is there; with a reply, the body is read and dropped. */
static enum MHD_Result
request_begin(struct request *q, const char *url, const char *method, const char *version)
{
	const size_t line_len = strlen(method) + 1 + q->uri_len + 1 + strlen(version);
	struct err e = ERR_INIT;
	char allow[ROUTE_ALLOW_LEN] = "";
	struct head head;

	q->begun = true;
	(void)snprintf(q->method, sizeof(q->method), "%s", method);
	(void)snprintf(q->path, sizeof(q->path), "%s", url);
	if (head_read(q->conn, version, line_len, &head, &e) < 0 || access_check_host(q, &head, &e) < 0) {
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

static enum MHD_Result
body_add(struct request *q, const char *data, size_t len)
{
	const uint64_t max = q->server->spec.body_max;

	q->body_len += len;
	if (q->body_len > max * DROP_FACTOR)
		return MHD_NO;
	/* a body where none belongs may be the next request, if somebody before us read it so */
	if (!q->route || q->route->takes != TAKES_BODY) {
		q->close = true;
		return MHD_YES;
	}
	if (q->reply)
		return MHD_YES;
	if (q->body_len <= max && q->body.len + len == q->body_len)
		buf_add(&q->body, data, len);
	else /* too long, by now or once: the limit may change in between */
		buf_release(&q->body);
	return MHD_YES;
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

/* E_BUSY is not reported: limits are reached by floods, which would flood the log. */
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
	if (!q || !q->from)
		return MHD_NO; /* memory ran out */
	CHECK_OBJ(q, REQUEST_MAGIC);
	if (s->ending && !q->reply && !q->waited)
		return MHD_NO;
	if (!q->begun)
		return request_begin(q, url, method, version);
	if (*upload_data_size) {
		r = body_add(q, upload_data, *upload_data_size);
		*upload_data_size = 0;
		return r;
	}
	conn_arrived(q->from);
	if (q->reply)
		return answer(q);
	if (request_run(q, &e) < 0) {
		request_refuse(q, &e);
		return answer(q);
	}
	return q->reply ? answer(q) : MHD_YES;
}

void
request_completed(void *arg, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why)
{
	struct request *q = *state;

	(void)arg;
	(void)conn;
	(void)why;
	if (!q)
		return;
	CHECK_OBJ(q, REQUEST_MAGIC);
	if (q->begun)
		tell(q, q->server->spec.ended);
	if (q->from)
		conn_await(q->from);
	if (q->reply)
		MHD_destroy_response(q->reply);
	buf_release(&q->body);
	free(q->name);
	q->magic = 0;
	free(q);
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

int
request_watch_peer(struct request *q, struct loop_fd *w, loop_fd_fn fn, void *arg, struct err *e)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

	*w = (struct loop_fd){.fn = fn, .arg = arg, .fd = info->connect_fd};
	return loop_fd_watch(q->server->spec.loop, w, EPOLLRDHUP | EPOLLET, e);
}
