#include "config.h"

#include "hop.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <strings.h>

#include "address.h"
#include "base/loop.h"
#include "base/str.h"
#include "url.h"

#define BUFFER_LEN (512l << 10)
#define DISCARD_MAX (1u << 20)

/* What to do about an address that we do not connect to. */
#define PRIVATE_HINT "nothing is fetched from there unless COLCONV_HUB_PRIVATE_HOSTS names it"

static const struct {
	const char *name;
	size_t offset, size;
} headers[] = {
#define HEADER(name, field)                                                                       \
	{                                                                                         \
		name, offsetof(struct hop_answer, field), sizeof(((struct hop_answer *)0)->field) \
	}
	HEADER("location", location),
	HEADER("x-error-code", error_code),
	HEADER("x-error-message", error_message),
	HEADER("content-range", content_range),
#undef HEADER
};

/* "Name: value\r\n". A value that is too long is left out: it is none that we know. */
static size_t
on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct hop *h = ctx;
	char *colon = memchr(data, ':', size * n), *end = data + size * n, *ret;
	size_t i;

	CHECK_OBJ(h, HOP_MAGIC);
	h->heard_ms = loop_now_ms();
	for (i = 0; colon && i < ARRAY_LEN(headers); i++) {
		if ((size_t)(colon - data) != strlen(headers[i].name) ||
		    strncasecmp(data, headers[i].name, strlen(headers[i].name)) != 0)
			continue;
		for (colon++; colon < end && *colon == ' '; colon++)
			;
		while (end > colon && strchr("\r\n ", end[-1]))
			end--;
		ret = (char *)&h->answer + headers[i].offset;
		if ((size_t)(end - colon) < headers[i].size && !memchr(colon, '\0', (size_t)(end - colon)))
			(void)snprintf(ret, headers[i].size, "%.*s", (int)(end - colon), colon);
	}
	return size * n;
}

static size_t
on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct hop *h = ctx;
	long status = 0;

	CHECK_OBJ(h, HOP_MAGIC);
	h->heard_ms = loop_now_ms();
	(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 && status != 206) { /* words for a browser */
		h->discarded += size * n;
		return h->discarded > DISCARD_MAX ? 0 : size * n;
	}
	h->answer.status = status;
	h->sink_failed = h->sink(h->ctx, data, size * n) < 0;
	return h->sink_failed ? 0 : size * n;
}

static bool
of_a_proxy(const struct sockaddr *sa)
{
	static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy",
					    "ALL_PROXY"};
	const char *proxy;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		proxy = getenv(names[i]);
		if (proxy && *proxy && address_is_of_proxy(sa, proxy))
			return true;
	}
	return false;
}

/* Of what the name resolved to at this very moment: no later answer of a name server gets past it. */
static curl_socket_t
on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct hop *h = ctx;

	CHECK_OBJ(h, HOP_MAGIC);
	(void)purpose;
	if (!address_is_public(&a->addr) && !hub_env_host_trusted(h->env, h->host) && !of_a_proxy(&a->addr)) {
		h->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

int
hop_init(struct hop *h, const struct hub_env *env, hop_sink_fn *sink, void *ctx, struct err *e)
{
	*h = (struct hop){.magic = HOP_MAGIC, .env = env, .easy = curl_easy_init(), .sink = sink, .ctx = ctx};
	return h->easy ? 0 : err_no_memory(e);
}

static void
request_forget(struct hop *h)
{
	curl_slist_free_all(TAKE(h->headers));
	free(TAKE(h->url));
	free(TAKE(h->host));
}

void
hop_release(struct hop *h)
{
	curl_easy_cleanup(TAKE(h->easy));
	request_forget(h);
}

static int
header_add(struct hop *h, const char *line, struct err *e)
{
	struct curl_slist *all = line ? curl_slist_append(h->headers, line) : NULL;

	if (!all)
		return err_no_memory(e);
	h->headers = all;
	return 0;
}

static int
headers_make(struct hop *h, struct err *e)
{
	_cleanup_free_ char *token = NULL;
	int r;

	/* Ranges and sizes are of the file, not of what a server makes of it. */
	r = header_add(h, "Accept-Encoding: identity", e);
	if (r < 0 || !h->to_endpoint || !h->env->token)
		return r;
	token = str_printf("Authorization: Bearer %s", h->env->token);
	r = header_add(h, token, e);
	if (token)
		explicit_bzero(token, strlen(token));
	return r;
}

static void
easy_setup(struct hop *h, uint64_t from)
{
	char range[32];

	curl_easy_reset(h->easy);
	(void)curl_easy_setopt(h->easy, CURLOPT_URL, h->url);
	(void)curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
	(void)curl_easy_setopt(h->easy, CURLOPT_PRIVATE, h->ctx);
	(void)curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "colconv/" PACKAGE_VERSION);
	(void)curl_easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1l);
	(void)curl_easy_setopt(h->easy, CURLOPT_FOLLOWLOCATION, 0l);
	(void)curl_easy_setopt(h->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1l); /* of a proxy */
	(void)curl_easy_setopt(h->easy, CURLOPT_HTTP_VERSION,
			       (long)CURL_HTTP_VERSION_1_1); /* a connection a file */
	(void)curl_easy_setopt(h->easy, CURLOPT_BUFFERSIZE, BUFFER_LEN);
	(void)curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT, (long)h->env->timeout_s);
	(void)curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	(void)curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETDATA, h);
	(void)curl_easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(h->easy, CURLOPT_HEADERDATA, h);
	(void)curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
	(void)curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->words);
	if (h->env->cert_file)
		(void)curl_easy_setopt(h->easy, CURLOPT_CAINFO, h->env->cert_file);
	if (from) {
		(void)snprintf(range, sizeof(range), "%" PRIu64 "-", from);
		(void)curl_easy_setopt(h->easy, CURLOPT_RANGE, range);
	}
}

int
hop_setup(struct hop *h, const char *url, uint64_t from, struct err *e)
{
	int r;

	request_forget(h);
	h->url = strdup(url);
	h->host = url_host(url);
	if (!h->url || !h->host)
		return err_no_memory(e);
	/* By a proxy the address is seen by the proxy alone. */
	if (address_is_private_literal(h->host) && !hub_env_host_trusted(h->env, h->host))
		return err_set(e, E_HUB_PROTOCOL, "'%s' is no public address: " PRIVATE_HINT, h->host);
	h->to_endpoint = url_same_origin(url, h->env->endpoint);
	h->refused = h->sink_failed = false;
	h->discarded = 0;
	h->heard_ms = loop_now_ms();
	h->answer = (struct hop_answer){.retry_after_s = -1};
	h->words[0] = '\0';
	r = headers_make(h, e);
	if (r == 0)
		easy_setup(h, from);
	return r;
}

enum hop_result
hop_result(struct hop *h, CURLcode code, struct err *why)
{
	curl_off_t wait = 0;

	(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &h->answer.status);
	if (curl_easy_getinfo(h->easy, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
		h->answer.retry_after_s = wait;
	if (code == CURLE_OK)
		return HOP_ANSWER;
	if (h->sink_failed)
		return HOP_SINK;
	if (h->refused) {
		(void)err_set(why, E_HUB_PROTOCOL, "'%s' has no public address: " PRIVATE_HINT, h->host);
		return HOP_REFUSED;
	}
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
		(void)err_set(why, E_HUB_UNREACHABLE, "the certificate of '%s' is not good: %s", h->host,
			      h->words);
		return HOP_REFUSED;
	}
	(void)err_set(why, E_HUB_UNREACHABLE, "'%s' does not answer, or broke off: %s", h->host,
		      *h->words ? h->words : curl_easy_strerror(code));
	return HOP_BROKEN;
}
