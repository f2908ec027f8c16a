#include "config.h"

#include "http.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <strings.h>
#include <sys/queue.h>

#include <curl/curl.h>

#include "base/json.h"
#include "base/str.h"
#include "clock.h"

#define TRANSFER_MAGIC 0x7472616eu

#define CONNECT_MS 10000
#define IDLE_MS 60000 /* no byte for so long: four of the daemon's heartbeats */
#define PROBLEM_MAX (1u << 20)

struct http {
	char *server; /* as it was given */
	char *base;   /* what a path is put after */
	char *socket; /* path of a unix socket; NULL: none */
	char *token;  /* a whole header; NULL: none */
	CURLM *multi;
	LIST_HEAD(, http_transfer) transfers;
	int fd_stop;
	bool heard; /* bytes came since http_wait() began */
};

struct http_transfer {
	unsigned magic;
	LIST_ENTRY(http_transfer) entry;
	struct http *http;
	CURL *easy;
	const struct http_request *req;
	struct curl_slist *headers;
	uint64_t offset;    /* of the next byte of the body */
	struct buf problem; /* the body of an answer that is an error */
	int64_t heard_ms;   /* when the last byte came */
	bool ended;
	CURLcode code;               /* of one that has ended */
	int sink;                    /* what the sink said last */
	char words[CURL_ERROR_SIZE]; /* libcurl's, of what went wrong */
	struct err err;              /* what the sink said, or we */
};

static bool
scheme_known(const char *server)
{
	return str_starts(server, "unix:/") || str_starts(server, "http://") ||
	       str_starts(server, "https://");
}

int
http_new(const char *server, const char *token, struct http **ret, struct err *e)
{
	_cleanup_(http_free) struct http *h = NULL;
	size_t n = strlen(server);
	bool local;

	if (!scheme_known(server))
		return err_set(e, E_USAGE, "the server must be http://HOST:PORT or unix:/PATH, not '%s'",
			       server);
	local = str_starts(server, "unix:");
	h = calloc(1, sizeof(*h));
	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT))
		return err_no_memory(e);
	h->fd_stop = -1;
	while (n && server[n - 1] == '/')
		n--;
	h->base = local ? strdup("http://localhost") : strndup(server, n);
	h->socket = local ? strdup(server + strlen("unix:")) : NULL;
	h->token = token ? str_printf("Authorization: Bearer %s", token) : NULL;
	h->server = strdup(server);
	h->multi = curl_multi_init();
	if (!h->server || !h->base || (local && !h->socket) || (token && !h->token) || !h->multi)
		return err_no_memory(e);
	*ret = TAKE(h);
	return 0;
}

void
http_free(struct http **h)
{
	if (!*h)
		return;
	assert(LIST_EMPTY(&(*h)->transfers));
	(void)curl_multi_cleanup((*h)->multi);
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
	h->fd_stop = fd;
}

const struct http_request *
http_request(const struct http_transfer *t)
{
	return t->req;
}

char *
http_escape(const char *segment)
{
	char *raw = curl_easy_escape(NULL, segment, 0);
	char *s = raw ? strdup(raw) : NULL;

	curl_free(raw);
	return s;
}

static long
status_get(CURL *easy)
{
	long status = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* "Content-Range: bytes 100-199/200": where a body of status 206 begins. */
static size_t
on_header(char *data, size_t size, size_t n, void *ctx)
{
	static const char name[] = "content-range: bytes ";
	struct http_transfer *t = ctx;
	char digits[24];
	size_t len;

	CHECK_OBJ(t, TRANSFER_MAGIC);
	t->heard_ms = clock_ms();
	if (n > strlen(name) && strncasecmp(data, name, strlen(name)) == 0 && status_get(t->easy) == 206) {
		data += strlen(name);
		len = strspn(data, "0123456789"); /* a header ends with CR LF */
		if (len && len < sizeof(digits)) {
			memcpy(digits, data, len);
			digits[len] = '\0';
			(void)str_to_u64(digits, 0, INT64_MAX, "Content-Range", &t->offset, NULL);
		}
	}
	return size * n;
}

static size_t
on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct http_transfer *t = ctx;
	uint64_t offset;

	CHECK_OBJ(t, TRANSFER_MAGIC);
	n *= size;
	t->heard_ms = clock_ms();
	t->http->heard = true;
	if (status_get(t->easy) >= 400) {
		buf_add(&t->problem, data, n);
		return t->problem.len > PROBLEM_MAX ? 0 : n;
	}
	offset = t->offset;
	t->offset += n;
	t->sink = t->req->sink ? t->req->sink(t->req->ctx, offset, data, n, &t->err) : 0;
	return t->sink ? 0 : n;
}

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
		return status < 500 ? E_BAD_REQUEST : E_INTERNAL;
	}
}

/* What the daemon says is wrong; what its status says when that is no problem document. */
static int
problem_set(const struct http_transfer *t, long status, struct err *e)
{
	const char *code = NULL, *detail = NULL, *field = NULL;
	json_t *doc = NULL;
	int r;

	if (t->problem.len &&
	    json_parse(t->problem.data, t->problem.len, "problem", E_BAD_REQUEST, &doc, NULL) == 0) {
		(void)json_get_str(doc, "", "code", JSON_OPTIONAL, E_BAD_REQUEST, &code, NULL);
		(void)json_get_str(doc, "", "detail", JSON_OPTIONAL, E_BAD_REQUEST, &detail, NULL);
		(void)json_get_str(doc, "", "field", JSON_OPTIONAL, E_BAD_REQUEST, &field, NULL);
	}
	r = code ? err_from_name(code) : E_INTERNAL;
	if (r == E_INTERNAL)
		r = status_code(status);
	if (!detail)
		(void)err_set(e, r, "%s answers %ld to %s %s", t->http->server, status, t->req->method,
			      t->req->path);
	else if (field && !str_starts(detail, field))
		(void)err_set(e, r, "%s: %s", field, detail);
	else
		(void)err_set(e, r, "%s", detail);
	json_decref(doc);
	return r;
}

static int
unreachable(const struct http_transfer *t, struct err *e)
{
	const char *words = *t->words ? t->words : curl_easy_strerror(t->code);
	long errnum = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &errnum);
	if (t->code == CURLE_COULDNT_CONNECT && errnum)
		words = strerror((int)errnum);
	return err_set(e, E_UNREACHABLE, "cannot reach the daemon at %s: %s", t->http->server, words);
}

/* Takes `words`, which is NULL for none. */
static int
header_add(struct http_transfer *t, const char *words)
{
	struct curl_slist *list = words ? curl_slist_append(t->headers, words) : t->headers;

	if (words && !list)
		return -1;
	t->headers = list;
	return 0;
}

static int
headers_make(struct http_transfer *t, struct err *e)
{
	/* "Expect:": without the pause that libcurl makes before a long body. */
	if ((t->req->body &&
	     (header_add(t, "Content-Type: application/json") < 0 || header_add(t, "Expect:") < 0)) ||
	    header_add(t, t->req->header) < 0 || header_add(t, t->http->token) < 0)
		return err_no_memory(e);
	return 0;
}

/* All of a request that libcurl must know; it copies the strings but for the body. */
static void
easy_setup(struct http_transfer *t, const char *url)
{
	const struct http_request *req = t->req;
	char range[32];

	(void)curl_easy_setopt(t->easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(t->easy, CURLOPT_UNIX_SOCKET_PATH, t->http->socket);
	(void)curl_easy_setopt(t->easy, CURLOPT_PROXY, ""); /* a proxy of the environment is not for us */
	(void)curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	(void)curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "colconvctl/" PACKAGE_VERSION);
	(void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	if (str_eq(req->method, "POST"))
		(void)curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, req->body ? req->body : "");
	else if (!str_eq(req->method, "GET"))
		(void)curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, req->method);
	if (req->from) {
		(void)snprintf(range, sizeof(range), "%" PRIu64 "-", req->from);
		(void)curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
	}
	(void)curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->words);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
}

static void
transfer_free(struct http_transfer *t)
{
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	buf_release(&t->problem);
	free(t);
}

int
http_begin(struct http *h, const struct http_request *req, struct http_transfer **ret, struct err *e)
{
	_cleanup_free_ char *url = str_printf("%s%s", h->base, req->path);
	struct http_transfer *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t || !url) {
		free(t);
		return err_no_memory(e);
	}
	*t = (struct http_transfer){.magic = TRANSFER_MAGIC, .http = h, .req = req, .heard_ms = clock_ms()};
	t->easy = curl_easy_init();
	if (!t->easy)
		r = err_no_memory(e);
	if (r == 0)
		r = headers_make(t, e);
	if (r == 0) {
		easy_setup(t, url);
		if (curl_multi_add_handle(h->multi, t->easy) != CURLM_OK)
			r = err_set(e, E_INTERNAL, "libcurl failed");
	}
	if (r < 0) {
		transfer_free(t);
		return r;
	}
	LIST_INSERT_HEAD(&h->transfers, t, entry);
	*ret = t;
	return 0;
}

/* Marks what libcurl has ended; one of those, or NULL. */
static struct http_transfer *
ended_find(struct http *h)
{
	struct http_transfer *t;
	const CURLMsg *msg;
	char *ctx;
	int left;

	while ((msg = curl_multi_info_read(h->multi, &left))) {
		if (msg->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &ctx) != CURLE_OK)
			continue;
		t = (struct http_transfer *)(void *)ctx;
		CHECK_OBJ(t, TRANSFER_MAGIC);
		t->code = msg->data.result;
		t->ended = true;
	}
	LIST_FOREACH(t, &h->transfers, entry)
		if (t->ended)
			return t;
	return NULL;
}

/* One that has been silent for too long is ended; else *ret_ms is when the first will be. */
static struct http_transfer *
silent_find(struct http *h, int64_t now_ms, int64_t *ret_ms)
{
	struct http_transfer *t;

	LIST_FOREACH(t, &h->transfers, entry) {
		if (now_ms >= t->heard_ms + IDLE_MS) {
			(void)snprintf(t->words, sizeof(t->words), "it has been silent for a minute");
			t->code = CURLE_OPERATION_TIMEDOUT;
			t->ended = true;
			return t;
		}
		*ret_ms = MIN(*ret_ms, t->heard_ms + IDLE_MS);
	}
	return NULL;
}

int
http_wait(struct http *h, int64_t deadline_ms, struct http_transfer **ret, struct err *e)
{
	struct curl_waitfd stop = {.fd = h->fd_stop, .events = CURL_WAIT_POLLIN};
	int64_t now, until;
	int running;

	h->heard = false;
	for (;;) {
		if (curl_multi_perform(h->multi, &running) != CURLM_OK)
			return err_set(e, E_INTERNAL, "libcurl failed");
		now = clock_ms();
		until = deadline_ms ? deadline_ms : now + IDLE_MS;
		*ret = ended_find(h);
		if (!*ret)
			*ret = silent_find(h, now, &until);
		if (*ret || h->heard || (deadline_ms && now >= deadline_ms))
			return 0;
		(void)curl_multi_poll(h->multi, &stop, h->fd_stop < 0 ? 0 : 1,
				      (int)MIN(MAX(until - now, 0), IDLE_MS), NULL);
		if (h->fd_stop >= 0 && stop.revents)
			return err_set(e, E_CANCELLED, "interrupted");
	}
}

int
http_finish(struct http_transfer **t, struct err *e)
{
	struct http_transfer *x = *t;
	long status, sent = 0;
	int r = 0;

	if (!x)
		return 0;
	status = status_get(x->easy);
	(void)curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent);
	if (sent && x->req->ret_sent)
		*x->req->ret_sent = true;
	if (x->sink < 0)
		r = err_set(e, x->sink, "%s", x->err.msg);
	else if (x->sink == 0 && status >= 400)
		r = problem_set(x, status, e);
	else if (x->sink == 0 && x->ended && x->code != CURLE_OK)
		r = unreachable(x, e);
	(void)curl_multi_remove_handle(x->http->multi, x->easy);
	LIST_REMOVE(x, entry);
	transfer_free(x);
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
		if (r == 0 && !ended && req->deadline_ms && clock_ms() >= req->deadline_ms)
			r = err_set(e, E_TIMEOUT, "timed out");
	}
	finished = http_finish(&t, e);
	return r < 0 ? r : finished;
}
