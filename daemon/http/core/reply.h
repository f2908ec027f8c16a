/* What is sent back: JSON, a problem document (RFC 9457), a file. A request has one reply. */
#ifndef HTTP_CORE_REPLY_H
#define HTTP_CORE_REPLY_H

#include "base/json.h"
#include "request.h"

/* One line; digits enough to tell 0.99999 as it was sent. */
#define REPLY_JSON (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* `j` is taken, also on failure; NULL is memory that ran out making it. */
int reply_json_take(struct request *q, unsigned status, json_t *j, struct err *e);

/* The bytes of `b`, which is taken, also on failure. */
int reply_text_take(struct request *q, unsigned status, struct buf *b, const char *type, struct err *e);

/* Without a body: 204, 304. */
int reply_empty(struct request *q, unsigned status, struct err *e);

/* As reply_json_take, by the row of the error's code. Without memory there is no reply. */
void reply_error(struct request *q, const struct err *why);

/*
 * A file, or what the request wants of it (Range, If-Range, If-None-Match). `etag` is in quotes.
 * `fd` is taken, also on failure.
 */
int reply_file_take(struct request *q, int fd, uint64_t size, const char *etag, const char *type,
		    struct err *e);

/*
 * A body of unknown length out of `read`, in blocks; `arg` is taken by `done`, also on failure. None of
 * it is read for HEAD, where the library would send the end of a chunked body.
 */
int reply_reader_take(struct request *q, size_t block, MHD_ContentReaderCallback read, void *arg,
		      MHD_ContentReaderFreeCallback done, const char *type, struct err *e);

/* `response` is taken; NULL is E_NO_MEMORY. `type` NULL: it has no content. */
int reply_set_take(struct request *q, unsigned status, struct MHD_Response *response, const char *type,
		   struct err *e);

/* After a reply was set. */
void reply_header(struct request *q, const char *name, const char *value);

#endif
