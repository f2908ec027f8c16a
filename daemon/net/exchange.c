#include "config.h"

#include "exchange.h"

#include <inttypes.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/loop.h"
#include "base/str.h"
#include "wire.h"

#define BUFFER_LEN (512l << 10)
#define ERROR_BODY_MAX (64u << 10)
#define DISCARD_MAX (1u << 20)
#define SLOW_BYTES 1024 /* a second */

static const struct {
	const char *name;
	size_t offset, size;
} headers[] = {
#define HEADER(name, field)                                                                                 \
	{                                                                                                   \
		name, offsetof(struct exchange_answer, field), sizeof(((struct exchange_answer *)0)->field) \
	}
	HEADER("location", location),       HEADER("content-range", content_range),   HEADER("etag", etag),
	HEADER("x-error-code", error_code), HEADER("x-error-message", error_message),
#undef HEADER
};

static void
bytes_heard(struct exchange *x, size_t len)
{
	x->heard_ms = loop_now_ms();
	if (!x->window_ms)
		x->window_ms = x->heard_ms;
	x->window_bytes += len;
	x->wire->heard = true;
}

/* Copies the value of "Name: value\r\n". A value that does not fit is left out: we know none that long. */
static size_t
on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;
	char *colon = memchr(data, ':', size * n), *end = data + size * n, *ret;
	size_t i;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	bytes_heard(x, size * n);
	for (i = 0; colon && i < ARRAY_LEN(headers); i++) {
		if ((size_t)(colon - data) != strlen(headers[i].name) ||
		    strncasecmp(data, headers[i].name, strlen(headers[i].name)) != 0)
			continue;
		for (colon++; colon < end && *colon == ' '; colon++)
			;
		while (end > colon && strchr("\r\n ", end[-1]))
			end--;
		ret = (char *)&x->answer + headers[i].offset;
		if ((size_t)(end - colon) < headers[i].size && !memchr(colon, '\0', (size_t)(end - colon)))
			(void)snprintf(ret, headers[i].size, "%.*s", (int)(end - colon), colon);
		break;
	}
	return size * n;
}

/* The first byte of "bytes 100-199/200", the Content-Range of a 206. */
static uint64_t
range_begin(const char *range)
{
	char digits[24];
	uint64_t from;
	size_t n;

	if (!str_starts(range, "bytes "))
		return 0;
	range += strlen("bytes ");
	n = strspn(range, "0123456789");
	if (!n || n >= sizeof(digits))
		return 0;
	(void)snprintf(digits, sizeof(digits), "%.*s", (int)n, range);
	return str_to_u64(digits, 0, INT64_MAX, "Content-Range", &from, NULL) < 0 ? 0 : from;
}

static void
body_begin(struct exchange *x)
{
	curl_off_t length = -1;

	x->body_begun = true;
	(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->answer.status);
	(void)curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	x->answer.length = length;
	x->offset = x->answer.status == 206 ? range_begin(x->answer.content_range) : 0;
	if (x->stream)
		x->window_ms = INT64_MAX;
}

/* Keeps the body of an error, and ends the exchange when the body is too long. */
static size_t
error_take(struct exchange *x, const char *data, size_t len)
{
	size_t room = ERROR_BODY_MAX - x->error_body.len, n = MIN(len, room);

	buf_add(&x->error_body, data, n);
	x->discarded += len - n;
	return x->discarded > DISCARD_MAX ? 0 : len;
}

static size_t
on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;
	const size_t len = size * n;
	uint64_t offset;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	bytes_heard(x, len);
	if (!x->body_begun)
		body_begin(x);
	if (x->answer.status / 100 != 2)
		return error_take(x, data, len);
	offset = x->offset;
	x->offset += len;
	x->sink_said = x->sink(x->ctx, offset, data, len, &x->err);
	return x->sink_said ? 0 : len;
}

/* Sent bytes count as a sign of life, as received ones do. */
static size_t
on_source(char *data, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;
	ssize_t len;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	len = x->source(x->ctx, data, size * n);
	if (len < 0)
		return CURL_READFUNC_ABORT;
	bytes_heard(x, (size_t)len);
	return (size_t)len;
}

/*
 * Checks the address that is about to be connected to, so that a later answer of the name server cannot
 * replace it.
 */
static curl_socket_t
on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct exchange *x = ctx;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	(void)purpose;
	if (!x->allow(x->ctx, &a->addr)) {
		x->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

int
exchange_init(struct exchange *x, exchange_sink_fn *sink, void *ctx, struct err *e)
{
	*x = (struct exchange){.magic = EXCHANGE_MAGIC, .sink = sink, .ctx = ctx, .easy = curl_easy_init()};
	return x->easy ? 0 : err_no_memory(e);
}

void
exchange_release(struct exchange *x)
{
	if (x->wire)
		(void)exchange_end(x);
	curl_easy_cleanup(TAKE(x->easy));
	curl_slist_free_all(TAKE(x->headers));
	buf_release(&x->error_body);
}

static int
headers_make(struct exchange *x, const struct exchange_request *req, struct err *e)
{
	struct curl_slist *list;
	size_t i;

	curl_slist_free_all(TAKE(x->headers));
	for (i = 0; i < EXCHANGE_HEADERS; i++) {
		if (!req->headers[i])
			continue;
		list = curl_slist_append(x->headers, req->headers[i]);
		if (!list)
			return err_no_memory(e);
		x->headers = list;
	}
	return 0;
}

static void
connection_setup(struct exchange *x, const struct exchange_request *req)
{
	(void)curl_easy_setopt(x->easy, CURLOPT_URL, req->url);
	(void)curl_easy_setopt(x->easy, CURLOPT_UNIX_SOCKET_PATH, req->unix_socket);
	if (req->no_proxy)
		(void)curl_easy_setopt(x->easy, CURLOPT_PROXY, "");
	if (req->fresh)
		(void)curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, 1l);
	if (req->cert_file)
		(void)curl_easy_setopt(x->easy, CURLOPT_CAINFO, req->cert_file);
	if (req->allow) {
		(void)curl_easy_setopt(x->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
		(void)curl_easy_setopt(x->easy, CURLOPT_OPENSOCKETDATA, x);
	}
	(void)curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)req->connect_ms);
	(void)curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1l);
	(void)curl_easy_setopt(x->easy, CURLOPT_FOLLOWLOCATION, 0l);
	(void)curl_easy_setopt(x->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1l); /* hide a proxy's */
	(void)curl_easy_setopt(x->easy, CURLOPT_HTTP_VERSION,
			       (long)CURL_HTTP_VERSION_1_1); /* one connection per exchange */
	(void)curl_easy_setopt(x->easy, CURLOPT_BUFFERSIZE, BUFFER_LEN);
}

static void
request_setup(struct exchange *x, const struct exchange_request *req)
{
	char range[32];

	(void)curl_easy_setopt(x->easy, CURLOPT_USERAGENT, "colconv/" PACKAGE_VERSION);
	(void)curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
	if (req->method && str_eq(req->method, "POST"))
		(void)curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, req->body ? req->body : "");
	else if (req->method && !str_eq(req->method, "GET"))
		(void)curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, req->method);
	if (req->source) {
		(void)curl_easy_setopt(x->easy, CURLOPT_UPLOAD, 1l);
		(void)curl_easy_setopt(x->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->source_len);
		(void)curl_easy_setopt(x->easy, CURLOPT_READFUNCTION, on_source);
		(void)curl_easy_setopt(x->easy, CURLOPT_READDATA, x);
	}
	if (req->from) {
		(void)snprintf(range, sizeof(range), "%" PRIu64 "-", req->from);
		(void)curl_easy_setopt(x->easy, CURLOPT_RANGE, range);
	}
	(void)curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
	(void)curl_easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
	(void)curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
	(void)curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->words);
}

int
exchange_start(struct exchange *x, struct wire *w, const struct exchange_request *req, struct err *e)
{
	int r;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	assert(!x->wire);
	static_assert(sizeof(x->words) >= CURL_ERROR_SIZE, "libcurl writes so much");
	x->source = req->source;
	x->allow = req->allow;
	x->silence_ms = req->silence_ms;
	x->stream = req->stream;
	x->heard_ms = loop_now_ms();
	x->window_ms = 0;
	x->window_bytes = x->offset = 0;
	x->discarded = 0;
	x->body_begun = x->refused = x->ended = false;
	x->sink_said = 0;
	x->code = CURLE_OK;
	x->words[0] = '\0';
	x->err = (struct err)ERR_INIT;
	x->answer = (struct exchange_answer){.retry_after_s = -1, .length = -1};
	buf_clear(&x->error_body);
	curl_easy_reset(x->easy);
	r = headers_make(x, req, e);
	if (r < 0)
		return r;
	connection_setup(x, req);
	request_setup(x, req);
	return wire_add(w, x, e);
}

bool
exchange_is_stuck(struct exchange *x, int64_t now_ms, int64_t *ret_ms)
{
	const bool counted = x->window_ms && x->window_ms != INT64_MAX;

	if (now_ms >= x->heard_ms + x->silence_ms) {
		(void)snprintf(x->words, sizeof(x->words), "it has been silent for %" PRId64 " s",
			       x->silence_ms / 1000);
		return true;
	}
	*ret_ms = MIN(*ret_ms, x->heard_ms + x->silence_ms);
	if (!counted)
		return false;
	if (now_ms < x->window_ms + x->silence_ms) {
		*ret_ms = MIN(*ret_ms, x->window_ms + x->silence_ms);
		return false;
	}
	if (x->window_bytes < (uint64_t)(now_ms - x->window_ms) * SLOW_BYTES / 1000) {
		(void)snprintf(x->words, sizeof(x->words),
			       "it sent fewer than %d bytes a second for %" PRId64 " s", SLOW_BYTES,
			       x->silence_ms / 1000);
		return true;
	}
	x->window_ms = now_ms;
	x->window_bytes = 0;
	return false;
}

bool
exchange_was_sent(const struct exchange *x)
{
	long sent = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent);
	return sent > 0;
}

/* Our own words where libcurl's say less. */
static void
words_find(struct exchange *x)
{
	long errnum = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &errnum);
	if (x->discarded > DISCARD_MAX)
		(void)snprintf(x->words, sizeof(x->words), "its error has no end");
	else if (x->code == CURLE_COULDNT_CONNECT && errnum)
		(void)snprintf(x->words, sizeof(x->words), "%s", strerror((int)errnum));
	else if (!*x->words)
		(void)snprintf(x->words, sizeof(x->words), "%s", curl_easy_strerror((CURLcode)x->code));
}

enum exchange_result
exchange_end(struct exchange *x)
{
	curl_off_t wait = 0;

	CHECK_OBJ(x, EXCHANGE_MAGIC);
	assert(x->wire);
	(void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->answer.status);
	if (curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
		x->answer.retry_after_s = wait;
	wire_remove(x);
	if (x->sink_said)
		return x->sink_said < 0 ? EXCHANGE_SINK : EXCHANGE_ENOUGH;
	if (x->ended && x->code == CURLE_OK)
		return EXCHANGE_ANSWER;
	words_find(x);
	if (x->refused)
		return EXCHANGE_REFUSED;
	if (x->code == CURLE_PEER_FAILED_VERIFICATION || x->code == CURLE_SSL_CACERT_BADFILE)
		return EXCHANGE_CERTIFICATE;
	return EXCHANGE_BROKEN;
}
