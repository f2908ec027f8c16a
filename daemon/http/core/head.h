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

/*
 * `version` is the library's, from the end of the first line, and `line_len` the length of that line as
 * it came. E_BAD_REQUEST: what is said twice, or in a way that others read otherwise.
 *
 * What the library does not tell of (a NUL and what follows it, a line that goes on in the next
 * one, one without a name, one that ends in a bare LF) shows in the places of names and values: "NAME: VALUE"
 * lines that end in CR LF follow each other, and fill the head. After any other head nothing more is to be read.
 */
int head_read(struct MHD_Connection *conn, const char *version, size_t line_len, struct head *ret,
	      struct err *e);

#endif
