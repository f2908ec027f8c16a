#include "config.h"

#include "http.h"

#include <inttypes.h>
#include <strings.h>

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
	CURLM *multi;
	CURL *easy;
	int fd_stop;
};

struct transfer {
	unsigned magic;
	CURL *easy;
	const struct http_request *req;
	uint64_t offset;             /* of the next byte of the body */
	struct buf problem;          /* the body of an answer that is an error */
	int64_t heard_ms;            /* when the last byte came */
	int sink;                    /* what the sink said last */
	char words[CURL_ERROR_SIZE]; /* libcurl's, of what went wrong */
	struct err *e;
};

int
http_new(const char *server, struct http **ret, struct err *e)
{
	_cleanup_(http_free) struct http *h = calloc(1, sizeof(*h));
	size_t n = strlen(server);

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT))
		goto memory;
	h->fd_stop = -1;
	if (str_starts(server, "unix:/")) {
		h->base = strdup("http://localhost");
		h->socket = strdup(server + strlen("unix:"));
		if (!h->socket)
			goto memory;
	} else if (str_starts(server, "http://") || str_starts(server, "https://")) {
		while (n && server[n - 1] == '/')
			n--;
		h->base = strndup(server, n);
	} else {
		return err_set(e, E_USAGE, "the server must be http://HOST:PORT or unix:/PATH, not '%s'",
			       server);
	}
	h->server = strdup(server);
	h->multi = curl_multi_init();
	h->easy = curl_easy_init();
	if (!h->server || !h->base || !h->multi || !h->easy)
		goto memory;
	*ret = TAKE(h);
	return 0;
memory:
	return err_set(e, E_NO_MEMORY, "memory ran out");
}

void
http_free(struct http **h)
{
	if (!*h)
		return;
	curl_easy_cleanup((*h)->easy);
	(void)curl_multi_cleanup((*h)->multi);
	free((*h)->server);
	free((*h)->base);
	free((*h)->socket);
	free(*h);
	*h = NULL;
}

void
http_stop_on(struct http *h, int fd)
{
	h->fd_stop = fd;
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
	struct transfer *t = ctx;
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
	struct transfer *t = ctx;
	uint64_t offset;

	CHECK_OBJ(t, TRANSFER_MAGIC);
	n *= size;
	t->heard_ms = clock_ms();
	if (status_get(t->easy) >= 400) {
		buf_add(&t->problem, data, n);
		return t->problem.len > PROBLEM_MAX ? 0 : n;
	}
	offset = t->offset;
	t->offset += n;
	t->sink = t->req->sink(t->req->ctx, offset, data, n, t->e);
	return t->sink ? 0 : n;
}

static int
status_code(long status)
{
	switch (status) {
	case 401:
	case 403:
		return E_NOT_ALLOWED;
	case 404:
		return E_NOT_FOUND;
	case 409:
		return E_CONFLICT;
	case 413:
		return E_TOO_LARGE;
	case 503:
		return E_BUSY;
	default:
		return status < 500 ? E_BAD_REQUEST : E_INTERNAL;
	}
}

/* What the daemon says is wrong; what its status says when that is no problem document. */
static int
problem_set(const struct http *h, const struct transfer *t, long status, struct err *e)
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
		(void)err_set(e, r, "%s answers %ld to %s %s", h->server, status, t->req->method,
			      t->req->path);
	else if (field && !str_starts(detail, field))
		(void)err_set(e, r, "%s: %s", field, detail);
	else
		(void)err_set(e, r, "%s", detail);
	json_decref(doc);
	return r;
}

static int
unreachable(const struct http *h, CURLcode code, const char *words, struct err *e)
{
	long errnum = 0;

	(void)curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &errnum);
	if (code == CURLE_COULDNT_CONNECT && errnum)
		words = strerror((int)errnum);
	else if (!*words)
		words = curl_easy_strerror(code);
	return err_set(e, E_UNREACHABLE, "cannot reach the daemon at %s: %s", h->server, words);
}

/* Until the transfer has ended, or something else ends it. *ret is set when this returns 0. */
static int
transfer_run(struct http *h, struct transfer *t, CURLcode *ret, struct err *e)
{
	struct curl_waitfd stop = {.fd = h->fd_stop, .events = CURL_WAIT_POLLIN};
	int running, left, wait_ms;
	const CURLMsg *msg;
	int64_t now;

	for (;;) {
		if (curl_multi_perform(h->multi, &running) != CURLM_OK)
			return err_set(e, E_INTERNAL, "libcurl failed");
		while ((msg = curl_multi_info_read(h->multi, &left))) {
			if (msg->msg == CURLMSG_DONE) {
				*ret = msg->data.result;
				return 0;
			}
		}
		now = clock_ms();
		if (t->req->deadline_ms && now >= t->req->deadline_ms)
			return err_set(e, E_TIMEOUT, "timed out");
		if (now >= t->heard_ms + IDLE_MS)
			return unreachable(h, CURLE_OPERATION_TIMEDOUT, "it has been silent for a minute", e);
		wait_ms = (int)(t->heard_ms + IDLE_MS - now);
		if (t->req->deadline_ms)
			wait_ms = (int)MIN(wait_ms, t->req->deadline_ms - now);
		(void)curl_multi_poll(h->multi, &stop, h->fd_stop < 0 ? 0 : 1, wait_ms, NULL);
		if (h->fd_stop >= 0 && stop.revents)
			return err_set(e, E_CANCELLED, "interrupted");
	}
}

/* All of a request that libcurl must know; the range and the headers are the caller's to free. */
static void
easy_setup(struct http *h, struct transfer *t, const char *url, const char *range, struct curl_slist *headers)
{
	curl_easy_reset(h->easy);
	(void)curl_easy_setopt(h->easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(h->easy, CURLOPT_UNIX_SOCKET_PATH, h->socket);
	(void)curl_easy_setopt(h->easy, CURLOPT_PROXY, ""); /* a proxy of the environment is not for us */
	(void)curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	(void)curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "colconvctl/" PACKAGE_VERSION);
	(void)curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, headers);
	if (str_eq(t->req->method, "POST"))
		(void)curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, t->req->body ? t->req->body : "");
	if (t->req->from)
		(void)curl_easy_setopt(h->easy, CURLOPT_RANGE, range);
	(void)curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, t->words);
	(void)curl_easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(h->easy, CURLOPT_HEADERDATA, t);
	(void)curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, t);
}

int
http_perform(struct http *h, const struct http_request *req, struct err *e)
{
	/* "Expect:": without the pause that libcurl makes before a long body. */
	struct curl_slist type = {.data = (char *)(uintptr_t)"Content-Type: application/json"};
	struct curl_slist expect = {.data = (char *)(uintptr_t)"Expect:", .next = &type};
	struct curl_slist more = {.data = (char *)(uintptr_t)req->header, .next = req->body ? &expect : NULL};
	struct transfer t = {
		.magic = TRANSFER_MAGIC, .easy = h->easy, .req = req, .heard_ms = clock_ms(), .e = e};
	_cleanup_free_ char *url = str_printf("%s%s", h->base, req->path);
	char range[32];
	CURLcode code = CURLE_OK;
	long status;
	int r;

	if (!url)
		return err_set(e, E_NO_MEMORY, "memory ran out");
	(void)snprintf(range, sizeof(range), "%" PRIu64 "-", req->from);
	easy_setup(h, &t, url, range, req->header ? &more : more.next);
	if (curl_multi_add_handle(h->multi, h->easy) != CURLM_OK)
		return err_set(e, E_INTERNAL, "libcurl failed");
	r = transfer_run(h, &t, &code, e);
	(void)curl_multi_remove_handle(h->multi, h->easy);
	status = status_get(h->easy);
	if (r < 0 || t.sink)
		r = MIN(r, t.sink);
	else if (status >= 400)
		r = problem_set(h, &t, status, e);
	else if (code != CURLE_OK)
		r = unreachable(h, code, t.words, e);
	buf_release(&t.problem);
	return MIN(r, 0);
}
