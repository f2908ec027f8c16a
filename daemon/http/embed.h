/* Files within the program (embedded.def), as replies: with an ETag, and 304 to who has them. */
#ifndef HTTP_EMBED_H
#define HTTP_EMBED_H

#include "request.h"

enum embed {
#define EMBED(sym, ...) EMBED_##sym,
#include "embedded.def"
#undef EMBED
	EMBED_MAX
};

/* The file `name` of a folder of the sources, which is given with its last slash. */
bool embed_find(const char *folder, const char *name, enum embed *ret);

int reply_embedded(struct request *q, enum embed which, struct err *e);

/* Whether an If-None-Match (NULL: there is none) lists the ETag, which is given with its quotes. */
bool etag_listed(const char *if_none_match, const char *etag);

#endif
