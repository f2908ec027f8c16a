/*
 * Files that the program carries, as replies with an ETag.
 *
 * A user lists its files in one place:
 *
 *	EMBED_BYTES(PAGE, "daemon/http/page/web/index.html")
 *	static struct embed page = EMBED_ROW(PAGE, "index.html", "text/html");
 */
#ifndef HTTP_CORE_EMBED_H
#define HTTP_CORE_EMBED_H

#include "base/incbin.h"
#include "base/sha256.h"
#include "request.h"

struct embed {
	const char *data;
	const char *end;
	const char *type;
	const char *name;
	char etag[SHA256_HEX_LEN + 3]; /* in quotes; "": not computed yet */
};

/* clang-format off */
#define EMBED_ROW(sym, name, type) {embed_##sym, embed_##sym##_end, type, name, ""}
/* clang-format on */

/* 200 with the file, or 304 when the client has it. */
int reply_embedded(struct request *q, struct embed *f, struct err *e);

#endif
