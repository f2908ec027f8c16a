/*
 * Checks the headers that say where a request ends and where it comes from.
 *
 * Two readers of one stream (a proxy and we) must not disagree where a request ends; this is request
 * smuggling, and the library does not check everything. After head_read() refuses a request, close the
 * connection.
 */
#ifndef HTTP_CORE_HEAD_H
#define HTTP_CORE_HEAD_H

#include <microhttpd.h>

#include "base/err.h"

/* The values live as long as the request. NULL: the header is missing. */
struct head {
	const char *host;
	const char *authorization;
	const char *origin;
	const char *site; /* Sec-Fetch-Site */
	bool chunked;
	bool plain; /* made of plain lines only, see below */
};

/* The first line of a request as the library gives it, in pieces that still lie where they arrived. */
struct head_line {
	const char *method;
	const char *uri; /* use its address only: the library has changed its text since */
	size_t uri_len;  /* as it arrived */
	const char *version;
};

/*
 * E_BAD_REQUEST for a header that is repeated, that other readers may understand differently, or that the
 * library cut: it ends a value at a NUL, so that "Host: a\0b" would become "a". The bytes between the
 * pieces that the library returns reveal the cut.
 *
 * Plain "NAME: VALUE" lines that end in CR LF follow each other and fill the head. When the places of
 * names and values do not add up to that (a bare LF, a folded line), `plain` is false: answer the request,
 * and read nothing after it.
 */
int head_read(struct MHD_Connection *conn, const struct head_line *line, struct head *ret, struct err *e);

#endif
