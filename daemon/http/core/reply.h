/* Replies: JSON, a problem document (RFC 9457), a file. Each request gets exactly one. */
#ifndef HTTP_CORE_REPLY_H
#define HTTP_CORE_REPLY_H

#include "base/json.h"
#include "request.h"

/* One line, with enough digits to print 0.99999 as it was sent. */
#define REPLY_JSON (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* `j` is taken, also on failure. NULL means that memory ran out while it was made. E_BUSY: see server_spec.answers_max. */
int reply_json_take(struct request *q, unsigned status, json_t *j, struct err *e);

/* Replies with the bytes of `b`, which is taken, also on failure. */
int reply_text_take(struct request *q, unsigned status, struct buf *b, const char *type, struct err *e);

/* A reply without a body: 204, 304. */
int reply_empty(struct request *q, unsigned status, struct err *e);

/* A problem document, with the status of the error's row. When memory runs out, there is no reply. */
void reply_error(struct request *q, const struct err *why);

/*
 * A file, or the part of it that Range, If-Range and If-None-Match ask for. `etag` includes its quotes.
 * `fd` is taken, also on failure.
 */
int reply_file_take(struct request *q, int fd, uint64_t size, const char *etag, const char *type,
		    struct err *e);

/*
 * A body of `len` bytes, which `read` gives in blocks; MHD_SIZE_UNKNOWN: until `read` says that it ends. `done`
 * releases `arg`, also on failure. For HEAD of an unknown length nothing is read: the library would send the end of a
 * chunked body.
 */
int reply_reader_take(struct request *q, uint64_t len, size_t block, MHD_ContentReaderCallback read,
		      void *arg, MHD_ContentReaderFreeCallback done, const char *type, struct err *e);

/* `response` is taken; NULL is E_NO_MEMORY. `type` NULL: the reply has no body. */
int reply_set_take(struct request *q, unsigned status, struct MHD_Response *response, const char *type,
		   struct err *e);

/* Adds a header to the reply that was set. */
void reply_header(struct request *q, const char *name, const char *value);

#endif
