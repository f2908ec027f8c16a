#include "http.h"

#include <arpa/inet.h>

#include "base/json.h"
#include "base/loop.h"
#include "base/str.h"
#include "net/wire.h"

#define TRANSFER_MAGIC 0x7472616eu

#define CONNECT_MS 10000
#define SILENCE_MS 60000 /* four heartbeats of the daemon */

struct http {
	char *server; /* as it was given */
	char *base;   /* paths are appended to it */
	char *socket; /* path of a unix socket; NULL: none */
	char *token;  /* a whole header line; NULL: none */
	struct wire wire;
};

struct http_transfer {
	unsigned magic;
	struct http *http;
	const struct http_request *req;
	struct exchange exchange;
};

char *
http_server_url(const char *server, struct err *e)
{
	char *url;

	if (str_starts(server, "unix:/") || str_starts(server, "http://") || str_starts(server, "https://"))
		url = strdup(server);
	else if (*server == '/')
		url = str_printf("unix:%s", server);
	else if (*server && !strstr(server, "://") && !str_starts(server, "unix:"))
		url = str_printf("http://%s", server);
	else {
		(void)err_set(e, E_USAGE,
			      "the server must be HOST:PORT, a URL http://HOST:PORT, or unix:/PATH, not '%s'",
			      server);
		return NULL;
	}
	if (!url)
		(void)err_no_memory(e);
	return url;
}

int
http_new(const char *server, const char *token, struct http **ret, struct err *e)
{
	_cleanup_(http_free) struct http *h = NULL;
	size_t n = strlen(server);
	bool local;
	int r;

	local = str_starts(server, "unix:");
	h = calloc(1, sizeof(*h));
	if (!h)
		return err_no_memory(e);
	r = wire_init(&h->wire, e);
	if (r < 0)
		return r;
	while (n && server[n - 1] == '/')
		n--;
	h->base = local ? strdup("http://localhost") : strndup(server, n);
	h->socket = local ? strdup(server + strlen("unix:")) : NULL;
	h->token = token ? str_printf("Authorization: Bearer %s", token) : NULL;
	h->server = strdup(server);
	if (!h->server || !h->base || (local && !h->socket) || (token && !h->token))
		return err_no_memory(e);
	*ret = TAKE(h);
	return 0;
}

void
http_free(struct http **h)
{
	if (!*h)
		return;
	wire_release(&(*h)->wire);
	free((*h)->server);
	free((*h)->base);
	free((*h)->socket);
	free((*h)->token);
	free(*h);
	*h = NULL;
}

bool
http_is_open(const char *server)
{
	const char *host = server + strlen("http://");
	_cleanup_free_ char *name = NULL;
	struct in_addr addr;

	if (!str_starts(server, "http://"))
		return false;
	name = strndup(host, strcspn(host, ":/"));
	if (str_starts(host, "[::1]") || (name && str_eq(name, "localhost")))
		return false;
	return !name || inet_pton(AF_INET, name, &addr) != 1 || ntohl(addr.s_addr) >> 24 != 127;
}

void
http_stop_on(struct http *h, int fd)
{
	h->wire.fd_stop = fd;
}

struct wire *
http_wire(struct http *h)
{
	return &h->wire;
}

const struct http_request *
http_request(const struct http_transfer *t)
{
	return t->req;
}

/* ---- errors ---- */

static int
status_code(long status)
{
	switch (status) {
	case 401:
		return E_UNAUTHORIZED;
	case 403:
		return E_NOT_ALLOWED;
	case 404:
		return E_NOT_FOUND;
	case 405:
		return E_METHOD;
	case 409:
		return E_CONFLICT;
	case 410:
		return E_GONE;
	case 413:
		return E_TOO_LARGE;
	case 503:
		return E_BUSY;
	case 507:
		return E_NO_SPACE;
	default:
		return status >= 400 && status < 500 ? E_BAD_REQUEST : E_INTERNAL;
	}
}

/* Makes an error of the daemon's problem document, or of the HTTP status when the body is not one. */
static int
problem_set(const struct http *h, const struct exchange *x, const char *what, struct err *e)
{
	const char *code = NULL, *detail = NULL, *field = NULL;
	const struct buf *body = &x->error_body;
	json_auto_t *doc = NULL;
	int r;

	if (body->len &&
	    json_parse_answer(body->data, body->len, "problem", E_BAD_REQUEST, &doc, NULL) == 0) {
		(void)json_get_str(doc, "", "code", JSON_OPTIONAL, E_BAD_REQUEST, &code, NULL);
		(void)json_get_str(doc, "", "detail", JSON_OPTIONAL, E_BAD_REQUEST, &detail, NULL);
		(void)json_get_str(doc, "", "field", JSON_OPTIONAL, E_BAD_REQUEST, &field, NULL);
	}
	r = code ? err_from_name(code) : E_INTERNAL;
	if (r == E_INTERNAL)
		r = status_code(x->answer.status);
	if (!detail)
		return err_set(e, r, "%s answers %ld to %s", h->server, x->answer.status, what);
	if (field && !str_starts(detail, field))
		return err_set(e, r, "%s: %s", field, detail);
	return err_set(e, r, "%s", detail);
}

int
http_judge(const struct http *h, const struct exchange *x, enum exchange_result result, const char *what,
	   struct err *e)
{
	switch (result) {
	case EXCHANGE_ENOUGH:
		return 0;
	case EXCHANGE_SINK:
		return err_set(e, x->err.code, "%s", x->err.msg);
	case EXCHANGE_ANSWER:
		return x->answer.status < 300 ? 0 : problem_set(h, x, what, e);
	case EXCHANGE_BROKEN:
	case EXCHANGE_REFUSED:
	case EXCHANGE_CERTIFICATE:
		break;
	}
	return err_set(e, E_UNREACHABLE, "cannot reach the daemon at %s: %s", h->server, x->words);
}

/* ---- requests ---- */

char *
http_url(const struct http *h, const char *path)
{
	return str_printf("%s%s", h->base, path);
}

void
http_ask(const struct http *h, const char *url, struct exchange_request *ret)
{
	ret->url = url;
	ret->unix_socket = h->socket;
	ret->no_proxy = true; /* the proxy of the environment is for the Internet, not for the daemon */
	ret->headers[0] = h->token;
	ret->connect_ms = CONNECT_MS;
	ret->silence_ms = SILENCE_MS;
}

static int
transfer_begin(struct http_transfer *t, struct err *e)
{
	const struct http_request *req = t->req;
	_cleanup_free_ char *url = http_url(t->http, req->path);
	struct exchange_request x = {.method = req->method, .body = req->body, .stream = req->stream};
	int r;

	if (!url)
		return err_no_memory(e);
	r = exchange_init(&t->exchange, req->sink, req->ctx, e);
	if (r < 0)
		return r;
	http_ask(t->http, url, &x);
	x.headers[1] = req->header;
	if (req->body) {
		x.headers[2] = "Content-Type: application/json";
		x.headers[3] = "Expect:"; /* libcurl would pause before a long body */
	}
	return exchange_start(&t->exchange, &t->http->wire, &x, e);
}

int
http_begin(struct http *h, const struct http_request *req, struct http_transfer **ret, struct err *e)
{
	struct http_transfer *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_no_memory(e);
	t->magic = TRANSFER_MAGIC;
	t->http = h;
	t->req = req;
	r = transfer_begin(t, e);
	if (r < 0) {
		exchange_release(&t->exchange);
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

int
http_wait(struct http *h, int64_t deadline_ms, struct http_transfer **ret, struct err *e)
{
	struct exchange *x;
	int r = wire_wait(&h->wire, deadline_ms, &x, e);

	*ret = NULL;
	if (r < 0 || !x)
		return r;
	*ret = (struct http_transfer *)(void *)((char *)x - offsetof(struct http_transfer, exchange));
	CHECK_OBJ(*ret, TRANSFER_MAGIC);
	return 0;
}

int
http_finish(struct http_transfer **t, struct err *e)
{
	struct http_transfer *x = *t;
	char what[256];
	int r = 0;

	if (!x)
		return 0;
	if (x->req->ret_sent && exchange_was_sent(&x->exchange))
		*x->req->ret_sent = true;
	(void)snprintf(what, sizeof(what), "%s %s", x->req->method, x->req->path);
	r = http_judge(x->http, &x->exchange, exchange_end(&x->exchange), what, e);
	exchange_release(&x->exchange);
	free(x);
	*t = NULL;
	return r;
}

int
http_perform(struct http *h, const struct http_request *req, struct err *e)
{
	struct http_transfer *t, *ended = NULL;
	int r, finished;

	r = http_begin(h, req, &t, e);
	if (r < 0)
		return r;
	while (r == 0 && !ended) {
		r = http_wait(h, req->deadline_ms, &ended, e);
		if (r == 0 && !ended && req->deadline_ms && loop_now_ms() >= req->deadline_ms)
			r = err_set(e, E_TIMEOUT, "timed out");
	}
	finished = http_finish(&t, r < 0 ? NULL : e);
	return r < 0 ? r : finished;
}
