#include "request.h"

#include <inttypes.h>

#include "api.h"
#include "base/str.h"

#define REQUEST_MAGIC 0x72657173u

/* A body beyond the limit is read and dropped, so that its sender hears why; up to this many times the limit. */
#define DROP_FACTOR 8

/* What the headers say of a request's extent, and whom they name. */
struct head {
	unsigned hosts;
	unsigned lengths;
	unsigned encodings;
	struct err e;
};

static bool
is_token(const char *s, size_t len)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	size_t i;
	char c;

	for (i = 0; i < len; i++) {
		c = s[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c && strchr(marks, c))))
			return false;
	}
	return len > 0;
}

/*
 * The library leaves to us what lets two readers of one stream disagree where a request ends
 * (request smuggling). After such a request the connection is closed.
 */
static enum MHD_Result
header_check(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_len, const char *value,
	     size_t value_len)
{
	struct head *h = arg;

	(void)kind;
	(void)value_len;
	if (!is_token(key, key_len))
		(void)err_set(&h->e, E_BAD_REQUEST, "'%.100s' is no name of a header", key);
	else if (strcasecmp(key, "Host") == 0)
		h->hosts++;
	else if (strcasecmp(key, "Content-Length") == 0)
		h->lengths++;
	else if (strcasecmp(key, "Transfer-Encoding") == 0) {
		h->encodings++;
		if (!value || strcasecmp(value, "chunked") != 0)
			(void)err_set(&h->e, E_BAD_REQUEST, "Transfer-Encoding must be chunked");
	} else if (strcasecmp(key, "Content-Encoding") == 0) {
		(void)err_set(&h->e, E_BAD_REQUEST, "a Content-Encoding is not taken");
	} else if (strcasecmp(key, "Origin") == 0) {
		/* a browser that runs somebody's page: it reaches our loopback address, and its user did not ask */
		(void)err_set(&h->e, E_NOT_ALLOWED, "requests from web pages are not taken");
	}
	return MHD_YES;
}

/* As RFC 9112 has it: a name is there once, a body's length is said in one way. */
static int
head_check(struct request *q, struct err *e)
{
	struct head h = {.hosts = 0};

	(void)MHD_get_connection_values_n(q->conn, MHD_HEADER_KIND, header_check, &h);
	if (h.hosts != 1)
		(void)err_set(&h.e, E_BAD_REQUEST, "there must be one Host, not %u", h.hosts);
	if (h.lengths + h.encodings > 1)
		(void)err_set(&h.e, E_BAD_REQUEST, "the length of the body is said more than once");
	q->close = h.encodings > 0 || h.e.code != 0;
	return h.e.code ? err_set(e, h.e.code, "%s", h.e.msg) : 0;
}

static int
route_set(struct request *q, const char *url, const char *method, char allow[ROUTE_ALLOW_LEN], struct err *e)
{
	struct route_args args = {.id = 0};

	q->route = route_find(method, url, &args, allow, e);
	if (!q->route)
		return e->code;
	q->id = args.id;
	if (args.name) {
		q->name = strdup(args.name);
		if (!q->name)
			return err_set(e, E_NO_MEMORY, "memory ran out");
	}
	return 0;
}

static enum MHD_Result
answer(struct request *q)
{
	if (!q->reply)
		return MHD_NO;
	if (q->close)
		reply_header(q, "Connection", "close");
	metrics_request(q->server->spec.metrics, q->route, q->status, metrics_now_us() - q->began_us);
	return MHD_queue_response(q->conn, q->status, q->reply);
}

static enum MHD_Result
request_begin(struct server *s, struct MHD_Connection *conn, const char *url, const char *method, void **state)
{
	struct request *q = calloc(1, sizeof(*q));
	struct err e = ERR_INIT;
	char allow[ROUTE_ALLOW_LEN] = "";

	if (!q)
		return MHD_NO;
	*state = q;
	q->magic = REQUEST_MAGIC;
	q->server = s;
	q->conn = conn;
	(void)snprintf(q->method, sizeof(q->method), "%s", method);
	(void)snprintf(q->path, sizeof(q->path), "%s", url);
	q->began_us = metrics_now_us();
	if (head_check(q, &e) < 0) {
		reply_error(q, &e);
		return answer(q);
	}
	if (route_set(q, url, method, allow, &e) < 0) {
		reply_error(q, &e);
		if (*allow)
			reply_header(q, "Allow", allow);
	}
	return MHD_YES;
}

static enum MHD_Result
body_add(struct request *q, const char *data, size_t len)
{
	const uint64_t max = q->server->spec.body_max;

	q->body_len += len;
	if (q->body_len > max * DROP_FACTOR)
		return MHD_NO;
	if (q->reply || !q->route->takes_body)
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
	if (q->body_len && !q->route->takes_body)
		return err_set(e, E_BAD_REQUEST, "'%s' takes no body", q->route->path);
	if (q->body.failed)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	if (q->body_len > q->body.len)
		return err_set(e, E_TOO_LARGE, "the body is longer than %" PRIu64 " bytes", q->server->spec.body_max);
	return q->route->fn(q, e);
}

/* Limits are met in floods, and the log is not to be one too. */
void
request_refuse(struct request *q, const struct err *why)
{
	if (err_http_status(why->code) >= 500 && why->code != E_BUSY)
		q->server->spec.failed(q->server->spec.arg, why);
	reply_error(q, why);
}

enum MHD_Result
request_handle(void *arg, struct MHD_Connection *conn, const char *url, const char *method, const char *version,
	       const char *upload_data, size_t *upload_data_size, void **state)
{
	struct server *s = arg;
	struct request *q = *state;
	struct err e = ERR_INIT;
	enum MHD_Result r;

	(void)version;
	CHECK_OBJ(s, SERVER_MAGIC);
	if (!q)
		return request_begin(s, conn, url, method, state);
	CHECK_OBJ(q, REQUEST_MAGIC);
	if (*upload_data_size) {
		r = body_add(q, upload_data, *upload_data_size);
		*upload_data_size = 0;
		return r;
	}
	if (q->reply)
		return answer(q);
	if (request_run(q, &e) < 0) {
		request_refuse(q, &e);
		return answer(q);
	}
	return q->reply ? answer(q) : MHD_YES;
}

static void
tell(const struct request *q)
{
	const struct server_spec *spec = &q->server->spec;
	const struct server_request r = {
		.method = q->method,
		.path = q->path,
		.caller = q->owner,
		.status = q->status,
		.ms = (metrics_now_us() - q->began_us) / 1000,
	};

	spec->requested(spec->arg, &r);
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
	tell(q);
	if (q->reply)
		MHD_destroy_response(q->reply);
	buf_release(&q->body);
	spec_release(&q->spec);
	job_release(&q->job);
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
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(q->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

	*w = (struct loop_fd){.fn = fn, .arg = arg, .fd = info->connect_fd};
	return loop_fd_watch(q->server->spec.loop, w, EPOLLRDHUP | EPOLLET, e);
}
