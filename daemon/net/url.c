#include "url.h"

#include <strings.h>

#include <curl/curl.h>

#include "base/str.h"

static void
url_freep(CURLU **u)
{
	curl_url_cleanup(*u);
}

#define _cleanup_url_ _cleanup_(url_freep)

/* Parses an URL; NULL when it is not one. */
static CURLU *
url_parse(const char *text)
{
	_cleanup_url_ CURLU *u = curl_url();

	return u && curl_url_set(u, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK ? TAKE(u) : NULL;
}

/* A copy of one part of the URL; NULL when it has no such part. */
static char *
part_get(CURLU *u, CURLUPart part)
{
	char *raw = NULL, *s = NULL;

	if (u && curl_url_get(u, part, &raw, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK)
		s = strdup(raw);
	curl_free(raw);
	return s;
}

static bool
part_is(CURLU *u, CURLUPart part, const char *want)
{
	_cleanup_free_ char *s = part_get(u, part);

	return s && want && strcasecmp(s, want) == 0; /* host names ignore case */
}

static bool
has_part(CURLU *u, CURLUPart part)
{
	_cleanup_free_ char *s = part_get(u, part);

	return s != NULL;
}

bool
url_is_endpoint(const char *url)
{
	_cleanup_url_ CURLU *u = url_parse(url);

	return u && (part_is(u, CURLUPART_SCHEME, "https") || part_is(u, CURLUPART_SCHEME, "http")) &&
	       !has_part(u, CURLUPART_QUERY) && !has_part(u, CURLUPART_FRAGMENT);
}

static bool
same_origin(CURLU *a, CURLU *b)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	size_t i;

	for (i = 0; i < ARRAY_LEN(parts); i++) {
		_cleanup_free_ char *s = part_get(a, parts[i]);

		if (!part_is(b, parts[i], s))
			return false;
	}
	return true;
}

bool
url_same_origin(const char *a, const char *b)
{
	_cleanup_url_ CURLU *ua = url_parse(a), *ub = url_parse(b);

	return ua && ub && same_origin(ua, ub);
}

bool
url_of_proxy(const char *proxy, char **ret_host, char **ret_port)
{
	_cleanup_url_ CURLU *u = curl_url();
	char *port = NULL;

	*ret_host = *ret_port = NULL;
	if (!u ||
	    curl_url_set(u, CURLUPART_URL, proxy, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return false;
	*ret_host = part_get(u, CURLUPART_HOST);
	if (curl_url_get(u, CURLUPART_PORT, &port, 0) == CURLUE_OK)
		*ret_port = strdup(port);
	curl_free(port);
	return *ret_host != NULL;
}

char *
url_host(const char *url)
{
	_cleanup_url_ CURLU *u = url_parse(url);
	char *host = part_get(u, CURLUPART_HOST);
	size_t n = host ? strlen(host) : 0;

	if (n > 2 && host[0] == '[') { /* an IPv6 address */
		memmove(host, host + 1, n - 2);
		host[n - 2] = '\0';
	}
	return host;
}

int
url_redirect(const char *from, const char *location, const char *endpoint, char **ret, struct err *e)
{
	_cleanup_url_ CURLU *u = url_parse(from), *own = url_parse(endpoint);
	_cleanup_free_ char *here = url_host(from), *scheme = NULL, *host = NULL;

	if (!u || !own || !here)
		return err_no_memory(e);
	if (curl_url_set(u, CURLUPART_URL, location, CURLU_DISALLOW_USER) != CURLUE_OK)
		return err_set(e, E_HUB_PROTOCOL, "'%s' redirects to an address that is not allowed", here);
	scheme = part_get(u, CURLUPART_SCHEME);
	host = part_get(u, CURLUPART_HOST);
	if (!scheme || !host || (!str_eq(scheme, "https") && !same_origin(u, own)))
		return err_set(e, E_HUB_PROTOCOL,
			       "'%s' redirects to %s://%s; only https and the endpoint itself are followed",
			       here, scheme ? scheme : "", host ? host : "");
	*ret = part_get(u, CURLUPART_URL);
	return *ret ? 0 : err_no_memory(e);
}

char *
url_escape(const char *segment)
{
	char *raw = curl_easy_escape(NULL, segment, 0), *s = raw ? strdup(raw) : NULL;

	curl_free(raw);
	return s;
}
