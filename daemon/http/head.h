/*
 * What the headers of a request say of its extent and of where it comes from.
 *
 * The library leaves to us what lets two readers of one stream disagree where a request ends
 * (request smuggling): after a request that head_read() refuses, the connection is to be closed.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

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

/*
 * `line_len` is that of the first line as it came. E_BAD_REQUEST: what is said twice, or in a way
 * that others read otherwise.
 *
 * What the library does not tell of (a NUL and what follows it, a line that goes on in the next
 * one, one without a name) shows in the number of bytes: "NAME: VALUE" lines that end in CR LF
 * have just as many as their names and values say. After any other head nothing more is to be read.
 */
int head_read(struct MHD_Connection *conn, size_t line_len, struct head *ret, struct err *e);

#endif
