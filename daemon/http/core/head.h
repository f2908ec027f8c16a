/*
 * What the headers of a request say of its extent and of where it comes from.
 *
 * The library leaves to us what lets two readers of one stream disagree where a request ends
 * (request smuggling): after a request that head_read() refuses, the connection is to be closed.
 */
#ifndef HTTP_CORE_HEAD_H
#define HTTP_CORE_HEAD_H

#include <microhttpd.h>

#include "base/err.h"

/* The values live as long as the request; NULL: it has no such header. */
struct head {
	const char *host;
	const char *authorization;
	const char *origin;
	const char *site; /* Sec-Fetch-Site */
	bool chunked;
	bool plain; /* every byte of it is accounted for */
};

/* The first line of a request as the library gives it, in pieces that still lie where they arrived. */
struct head_line {
	const char *method;
	const char *uri; /* only its place: its text was taken apart meanwhile */
	size_t uri_len;  /* as it arrived */
	const char *version;
};

/*
 * E_BAD_REQUEST for what is said twice, in a way that others read otherwise, or not told by the library:
 * it cuts a text at a NUL, so that "Host: a\0b" would be "a". What lies between the pieces that it tells
 * shows that.
 *
 * Some more shows in the places of names and values (a line that continues in the next one, one that ends
 * in a bare LF): "NAME: VALUE" lines that end in CR LF follow each other, and fill the head. After any
 * other head nothing more is to be read (`plain`).
 */
int head_read(struct MHD_Connection *conn, const struct head_line *line, struct head *ret, struct err *e);

#endif
